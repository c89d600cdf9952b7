/** A server whose stream says what a test wants, for the command line as its client. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect } from "effect"
import { type WebSocket, WebSocketServer } from "ws"
import { TaskId } from "../../src/services/Ids.ts"

export const id = TaskId.make(`task_${"1".repeat(26)}`)
export const stream = `task:${id}`

/** What a client asked for, and the ways to answer. */
interface Asked {
  readonly after: number
  readonly epoch: string | undefined
  readonly say: (...frames: ReadonlyArray<unknown>) => void
  readonly live: (head: number, epoch?: string) => void
  readonly close: (code: number) => void
}
export type Conversation = (asked: Asked) => void

export const event = (seq: number, type = "sandbox.ready", more: object = {}) => ({
  type: "event",
  stream,
  seq,
  at: "2026-01-01T00:00:00.000Z",
  event: { type, ...more }
})

export const snapshot = (status: string, seq: number, epoch: string) => ({
  id,
  scheduleId: null,
  status,
  phase: null,
  title: "t",
  prompt: "p",
  repository: { url: "https://h.example/r", ref: null },
  branch: "errand/t",
  baseCommit: null,
  headCommit: null,
  delivery: "branch",
  pullRequest: null,
  ciChanges: [],
  limits: { maxTurns: 1, maxCostUsd: 1, maxDurationSeconds: 1 },
  network: { mode: "none", hosts: [] },
  approvals: "never",
  model: "scripted",
  priority: 0,
  tags: [],
  secrets: [],
  startAt: null,
  expiresAt: null,
  position: null,
  usage: { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0, costUsd: 0 },
  turns: 0,
  workedSeconds: 0,
  error: null,
  pausedReason: null,
  pausedBudget: null,
  run: null,
  seq,
  epoch,
  createdAt: "2026-01-01T00:00:00.000Z",
  queuedAt: "2026-01-01T00:00:00.000Z",
  startedAt: null,
  finishedAt: null
})

const unreadBy = (sockets: Iterable<WebSocket>) =>
  [...sockets].reduce((bytes, socket) => bytes + socket.bufferedAmount, 0)

/** A server whose n-th subscription goes as the n-th conversation says. */
export const serve = (conversations: ReadonlyArray<Conversation>, task: object = {}) =>
  Effect.acquireRelease(
    Effect.async<{
      readonly url: string
      readonly subscriptions: ReadonlyArray<number>
      /** Method and path of what was asked for beside the stream. */
      readonly requests: ReadonlyArray<string>

      readonly unread: () => number
      readonly close: () => void
    }>((resume) => {
      const subscriptions: Array<number> = []
      const requests: Array<string> = []
      const http = createServer((request, response) => {
        requests.push(`${request.method} ${request.url}`)
        response.setHeader("content-type", "application/json").end(JSON.stringify(task))
      })
      const sockets = new WebSocketServer({ server: http, path: "/api/v1/stream" })
      sockets.on("connection", (socket: WebSocket) => {
        const send = (frame: unknown) => socket.send(JSON.stringify(frame))
        send({
          type: "hello",
          protocol: 1,
          version: "0",
          heartbeatSeconds: 30,
          limits: { authenticateSeconds: 5, frameBytes: 1, subscriptions: 1 }
        })
        socket.on("message", (data) => {
          const frame = JSON.parse(String(data))
          if (frame.type !== "subscribe") return
          subscriptions.push(frame.after)
          conversations[subscriptions.length - 1]?.({
            after: frame.after,
            epoch: frame.epoch,
            say: (...frames) => frames.forEach(send),
            live: (head, epoch = "first") => send({ type: "subscribed", stream, head, epoch }),
            close: (code) => socket.close(code)
          })
        })
      })
      http.listen(0, "127.0.0.1", () => {
        const { port } = http.address() as AddressInfo
        const close = () => {
          for (const socket of sockets.clients) socket.terminate()
          http.closeAllConnections()
          http.close()
        }
        resume(
          Effect.succeed({
            url: `http://127.0.0.1:${port}`,
            subscriptions,
            requests,
            unread: () => unreadBy(sockets.clients),
            close
          })
        )
      })
    }),
    ({ close }) => Effect.sync(close)
  )
