/**
 * One connection to the server's stream.
 *
 * Owns: opening it, frames in order, reading no faster than they are used, noticing that nothing comes any more.
 * Does not own: what frames mean, connecting again (`followTask.ts`).
 */
import { Chunk, Duration, Effect, Exit, Mailbox, Option, Redacted, Schedule, Schema } from "effect"
import { WebSocket } from "ws"
import { ClientFrame } from "../../http/api/StreamFrames.ts"
import { safeLine } from "../render/safeText.ts"
import type { Connection, TokenFailure } from "./Connection.ts"
import { readFrames, type Received } from "./frames.ts"

/** No other try will help. */
export class StreamRefused extends Schema.TaggedError<StreamRefused>()("StreamRefused", { status: Schema.Int }) {
  override get message() {
    return this.status === 401 || this.status === 403
      ? "The server refuses the token. Sign in with `errand login`, or make one on the server with `errand token create --login NAME`, and put it into ERRAND_TOKEN."
      : `The server has no stream at this address (status ${this.status}). Check --server.`
  }
}

/** The connection broke, or never came about. */
export class ConnectionLost extends Schema.TaggedError<ConnectionLost>()("ConnectionLost", { detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}

const isPassing = (failure: TokenFailure): boolean => {
  switch (failure._tag) {
    case "RequestError":
    case "ResponseError":
    case "ServerSilent":
      return true
    case "Problem":
      return failure.status >= 500 || failure.status === 429
    default:
      return false
  }
}

/** A session that can't be renewed because the server is away is no reason to give up. */
export const orLost = <A>(renewed: Effect.Effect<A, TokenFailure>) =>
  Effect.catchIf(renewed, isPassing, ({ message }) => new ConnectionLost({ detail: safeLine(message) }))

export interface TaskSocket {
  readonly send: (frame: ClientFrame) => Effect.Effect<void>
  /** Waits for the next frames. */
  readonly next: Effect.Effect<ReadonlyArray<Received>, ConnectionLost | StreamRefused>
}

const handshakeMs = 10_000
/** The server answers a ping at once: a connection that is silent for so long is dead. */
const pingEvery = Duration.seconds(15)
const silentAfter = Duration.seconds(40)
const largestFrame = 32 * 2 ** 20
/** So many frames that wait to be used stop the reading. */
const highWater = 512

const unauthenticated = 4401

const encode = Schema.encodeSync(Schema.parseJson(ClientFrame))

const streamUrl = (server: string) => `${server.replace(/^http/, "ws")}/api/v1/stream`

/** The connection is closed with the scope. */
export const open = Effect.fn("TaskSocket.open")(function* ({ server, token }: Connection) {
  const shown = yield* orLost(token)
  const inbox = yield* Mailbox.make<Received, ConnectionLost | StreamRefused>()
  const end = (error: ConnectionLost | StreamRefused) => inbox.unsafeDone(Exit.fail(error))

  const socket = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const ws = new WebSocket(streamUrl(server), {
        headers: { authorization: `Bearer ${Redacted.value(shown)}` },
        handshakeTimeout: handshakeMs,
        maxPayload: largestFrame
      })
      ws.on("message", (data, isBinary) => {
        if (isBinary) return
        inbox.unsafeOfferAll(readFrames(String(data)))
        if (Option.getOrElse(inbox.unsafeSize(), () => 0) > highWater) ws.pause()
      })
      ws.on("unexpected-response", (request, { statusCode = 0 }) => {
        request.destroy()
        end(
          statusCode >= 500 || statusCode === 429
            ? new ConnectionLost({ detail: `status ${statusCode}` })
            : new StreamRefused({ status: statusCode })
        )
      })
      ws.on("error", (error: NodeJS.ErrnoException) =>
        end(new ConnectionLost({ detail: safeLine(error.message === "" ? (error.code ?? error.name) : error.message) }))
      )
      ws.on("close", (code, reason) =>
        end(
          code === unauthenticated
            ? new StreamRefused({ status: 401 })
            : new ConnectionLost({ detail: safeLine(`closed with ${code} ${String(reason)}`) })
        )
      )
      return ws
    }),
    (ws) => Effect.sync(() => ws.terminate())
  )

  /** A frame that can't be sent now will not be missed: the connection ends and another one begins. */
  const send = (frame: ClientFrame) =>
    Effect.sync(() => {
      if (socket.readyState === WebSocket.OPEN) socket.send(encode(frame))
    })

  yield* send({ type: "ping" }).pipe(Effect.repeat(Schedule.spaced(pingEvery)), Effect.forkScoped)

  const opened = Effect.async<void>((resume) => {
    if (socket.readyState !== WebSocket.CONNECTING) resume(Effect.void)
    const settled = () => resume(Effect.void)
    socket.once("open", settled).once("close", settled)
    return Effect.sync(() => socket.off("open", settled).off("close", settled))
  })
  yield* opened

  const next = inbox.takeAll.pipe(
    Effect.timeoutFail({
      duration: silentAfter,
      onTimeout: () => new ConnectionLost({ detail: "the server fell silent" })
    }),
    Effect.map(([frames]) => {
      if (socket.isPaused) socket.resume()
      return Chunk.toReadonlyArray(frames)
    })
  )
  const self: TaskSocket = { send, next }
  return self
})
