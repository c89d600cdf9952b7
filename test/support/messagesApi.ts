/**
 * The Messages API over HTTP on loopback, played from a script: the wire format, its validation, its errors, its prompt
 * cache, and its faults. `main` runs it as a process of its own.
 */
import { Effect, type Scope } from "effect"
import { readFile } from "node:fs/promises"
import { createServer } from "node:http"
import { parseArgs } from "node:util"
import { decodeNamed } from "../../src/layers/jsonFile.ts"
import { decodeScript } from "../../src/layers/scripted/Script.ts"
import { Conversations, type MessagesApiOptions, type RecordedRequest } from "./messagesApi/Conversations.ts"

export interface MessagesApi {
  readonly url: string
  /** Oldest first, at most the newest 10,000. */
  readonly requests: ReadonlyArray<RecordedRequest>
  /** Breaks the next answer after so many bytes of its body. */
  readonly cutNextAfter: (bytes: number) => void
  /** How many connections there have been. */
  readonly connections: () => number
  readonly close: () => Promise<void>
}

export const startMessagesApi = async (options: MessagesApiOptions): Promise<MessagesApi> => {
  const script = await Effect.runPromise(decodeNamed("The script", decodeScript(options.script)))
  const conversation = new Conversations(script, options)
  const server = createServer((request, response) => {
    conversation.serve(request, response).catch(() => response.destroy())
  })
  let connections = 0
  server.on("connection", () => {
    connections++
  })
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(options.port ?? 0, "127.0.0.1", resolve)
  })
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    requests: conversation.requests,
    cutNextAfter: (bytes) => {
      conversation.cutAfterBytes = bytes
    },
    connections: () => connections,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}

export const messagesApi = (options: MessagesApiOptions): Effect.Effect<MessagesApi, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => startMessagesApi(options)),
    (api) => Effect.promise(() => api.close())
  )

/**
 * `--script FILE [--port N] [--packets bytes|events] [--forget-bodies]`. Prints `{"url": …}` when it answers, and runs
 * until it is killed. `GET /control/requests` tells what it was asked, `DELETE` forgets it.
 */
export const main = async (args: ReadonlyArray<string>): Promise<void> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      script: { type: "string" },
      port: { type: "string", default: "0" },
      packets: { type: "string", default: "bytes" },
      "forget-bodies": { type: "boolean", default: false }
    }
  })
  if (values.script === undefined) throw new Error("--script FILE is missing")
  const api = await startMessagesApi({
    script: JSON.parse(await readFile(values.script, "utf8")),
    port: Number(values.port),
    packets: values.packets === "events" ? "events" : "bytes",
    keepBodies: !values["forget-bodies"]
  })
  process.stdout.write(`${JSON.stringify({ url: api.url })}\n`)
}
