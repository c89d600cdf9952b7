/**
 * Everything that happens to a task, over as many connections as it takes.
 *
 * Owns: going on after the last event that was seen, and knowing when nothing more will come.
 * Does not own: the connection (`TaskSocket.ts`), what is done with events.
 */
import { Clock, Duration, Effect, Option, Random, Ref, Schema } from "effect"
import type { ServerFrame } from "../../http/api/StreamFrames.ts"
import type { TaskView } from "../../http/api/TaskView.ts"
import type { TaskId } from "../../services/Ids.ts"
import type { AnyEvent } from "../../services/TaskEvent.ts"
import { isFinal, type TaskStatus } from "../../services/TaskStatus.ts"
import { safeLine } from "../render/safeText.ts"
import type { Connection } from "./Connection.ts"
import type { ErrandClient } from "./ErrandClient.ts"
import type { Received } from "./frames.ts"
import { ConnectionLost, open, orLost, type TaskSocket } from "./TaskSocket.ts"

/** The server ended the subscription for good: the task was deleted, for instance. */
export class StreamEnded extends Schema.TaggedError<StreamEnded>()("StreamEnded", {
  code: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `The server ended the stream of this task: ${safeLine(this.detail)} (${safeLine(this.code)})`
  }
}

export type Followed =
  /** `event` is absent when this version does not know its type. */
  | { readonly _tag: "Event"; readonly at: string; readonly event: AnyEvent | undefined; readonly raw: unknown }
  | { readonly _tag: "Preview"; readonly item: string; readonly text: string }
  /** The backlog has been told; from here on it is live. */
  | { readonly _tag: "Live" }
  | { readonly _tag: "Lost"; readonly detail: string; readonly retryInMs: number }
  /** The log on the server is another one now, after a restore say: this is the task as it stands there. */
  | { readonly _tag: "Replaced"; readonly task: TaskView }

interface Position {
  readonly after: number
  readonly epoch: string | undefined
  readonly status: TaskStatus
  readonly live: boolean
}

/** A server that is away for so long is given up. */
const patience = Duration.minutes(10)
const firstRetryMs = 250
const lastRetryMs = 5_000

const statusAfter = (status: TaskStatus, event: AnyEvent | undefined): TaskStatus => {
  switch (event?.type) {
    case "task.completed":
      return "completed"
    case "task.failed":
      return "failed"
    case "task.cancelled":
      return "cancelled"
    case "task.queued":
      return "queued"
    default:
      return status
  }
}

/**
 * Calls `tell` with everything in order, from the first event on, and gives the status in the end.
 * `until` is where that is: when the task is final, or when everything that has happened so far is told.
 */
export const followTask = Effect.fn("followTask")(function* (
  connection: Connection,
  client: ErrandClient,
  id: TaskId,
  until: "final" | "told",
  tell: (followed: Followed) => Effect.Effect<void>
) {
  const stream = `task:${id}`
  const position = yield* Ref.make<Position>({ after: 0, epoch: undefined, status: "queued", live: false })
  const contact = yield* Ref.make({ aliveAt: yield* Clock.currentTimeMillis, failures: 0 })

  const subscribe = Effect.fnUntraced(function* (socket: TaskSocket) {
    const { after, epoch } = yield* Ref.updateAndGet(position, (now) => ({ ...now, live: false }))
    yield* socket.send({ type: "subscribe", stream, after, ...(epoch === undefined ? {} : { epoch }) })
  })

  const onEvent = Effect.fnUntraced(function* (seq: number, at: string, event: AnyEvent | undefined, raw: unknown) {
    const { after } = yield* Ref.get(position)
    if (seq <= after) return
    if (seq > after + 1) return yield* new ConnectionLost({ detail: `event ${after + 1} is missing` })
    yield* tell({ _tag: "Event", at, event, raw })
    yield* Ref.update(position, (now) => ({ ...now, after: seq, status: statusAfter(now.status, event) }))
  })

  const onReset = Effect.fnUntraced(function* (socket: TaskSocket, reason: "epoch" | "ahead" | "slow") {
    // The log still has what a slow reader missed; only another log needs a new beginning.
    if (reason !== "slow") {
      const task = yield* client.tasks.get({ path: { taskId: id } })
      yield* Ref.set(position, { after: task.seq, epoch: task.epoch, status: task.status, live: false })
      yield* tell({ _tag: "Replaced", task })
    }
    yield* subscribe(socket)
  })

  const onFrame = Effect.fnUntraced(function* (socket: TaskSocket, frame: ServerFrame, raw: unknown) {
    switch (frame.type) {
      case "event":
        return frame.stream === stream ? yield* onEvent(frame.seq, frame.at, frame.event, raw) : undefined
      case "preview":
        return yield* tell({ _tag: "Preview", item: frame.item, text: frame.text })
      case "subscribed":
        yield* Ref.update(position, (now) => ({ ...now, epoch: frame.epoch, live: true }))
        yield* Ref.set(contact, { aliveAt: yield* Clock.currentTimeMillis, failures: 0 })
        return yield* tell({ _tag: "Live" })
      case "reset":
        return yield* onReset(socket, frame.reason)
      case "pong": {
        const { after, live } = yield* Ref.get(position)
        return live && (frame.heads[stream] ?? 0) > after ? yield* subscribe(socket) : undefined
      }
      case "error":
        return yield* new StreamEnded({ code: frame.code, detail: frame.message })
      case "hello":
      case "authenticated":
        return
    }
  })

  const onReceived = (socket: TaskSocket, received: Received) =>
    received._tag === "Known"
      ? onFrame(socket, received.frame, received.raw)
      : onEvent(received.frame.seq, received.frame.at, undefined, received.raw)

  const ended = Effect.map(Ref.get(position), ({ live, status }) =>
    live && (until === "told" || isFinal(status)) ? Option.some(status) : Option.none()
  )

  /** Until the task is final, or the connection breaks. */
  const attempt = Effect.scoped(
    Effect.gen(function* () {
      const socket = yield* open(connection)
      yield* subscribe(socket)
      for (;;) {
        for (const received of yield* socket.next) {
          yield* onReceived(socket, received)
          const status = yield* ended
          if (Option.isSome(status)) return status.value
        }
      }
    })
  )

  const pause = Effect.fnUntraced(function* (lost: ConnectionLost) {
    const now = yield* Clock.currentTimeMillis
    const { aliveAt, failures } = yield* Ref.updateAndGet(contact, (last) => ({ ...last, failures: last.failures + 1 }))
    if (now - aliveAt > Duration.toMillis(patience)) return yield* lost
    const longest = Math.min(lastRetryMs, firstRetryMs * 2 ** (failures - 1))
    const retryInMs = Math.round(longest * (yield* Random.nextRange(0.5, 1)))
    yield* tell({ _tag: "Lost", detail: lost.detail, retryInMs })
    yield* Effect.sleep(Duration.millis(retryInMs))
  })

  /** A token that was refused may have a successor, with which to try once more. */
  const admitted = Effect.catchTag(attempt, "StreamRefused", (refused) =>
    Effect.if(refused.status === 401 ? orLost(connection.renew) : Effect.succeed(false), {
      onTrue: () => attempt,
      onFalse: () => refused
    })
  )

  const follow: typeof admitted = admitted.pipe(
    Effect.catchTag("ConnectionLost", (lost: ConnectionLost) => Effect.zipRight(pause(lost), follow))
  )
  return yield* follow
})
