/** A client of the stream, as its author would write one: everything that came, in order, and waiting for something. */
import { Deferred, Effect, type Scope } from "effect"
import { WebSocket } from "ws"
import type { ServerFrame } from "../../src/http/api/StreamFrames.ts"

type Received<Type extends ServerFrame["type"]> = Extract<ServerFrame, { readonly type: Type }>

export interface StreamClient {
  readonly socket: WebSocket
  readonly frames: ReadonlyArray<ServerFrame>
  readonly send: (frame: unknown) => Effect.Effect<void>
  /** Waits for the first frame of a type that was not given out yet. */
  readonly next: <Type extends ServerFrame["type"]>(type: Type) => Effect.Effect<Received<Type>>
  /** Seqs of all events of a stream so far. */
  readonly seqs: (stream: string) => ReadonlyArray<number>
  /** Waits until something holds, looked at whenever a frame came. */
  readonly until: (holds: () => boolean) => Effect.Effect<void>
  readonly closed: Effect.Effect<{ readonly code: number; readonly reason: string }>
}

/** Opens a socket that is closed with the scope; fails with the status when it is refused. */
export const connect = (
  url: string,
  headers: Readonly<Record<string, string>> = {},
  query = "",
  protocols: ReadonlyArray<string> = []
): Effect.Effect<StreamClient, { readonly status: number; readonly body: string }, Scope.Scope> =>
  Effect.gen(function* () {
    const frames: Array<ServerFrame> = []
    const waiting = new Set<() => void>()
    const closed = yield* Deferred.make<{ readonly code: number; readonly reason: string }>()
    const socket = yield* Effect.acquireRelease(
      Effect.sync(
        () => new WebSocket(`${url.replace(/^http/, "ws")}/api/v1/stream${query}`, [...protocols], { headers })
      ),
      (socket) => Effect.sync(() => socket.terminate())
    )
    socket.on("message", (data) => {
      const json = JSON.parse(String(data)) as ServerFrame | ReadonlyArray<ServerFrame>
      frames.push(...(Array.isArray(json) ? json : [json]))
      for (const wake of waiting) wake()
    })
    socket.on("close", (code, reason) => Deferred.unsafeDone(closed, Effect.succeed({ code, reason: String(reason) })))
    yield* Effect.async<void, { readonly status: number; readonly body: string }>((resume) => {
      socket.once("open", () => resume(Effect.void))
      socket.on("error", () => undefined)
      socket.once("unexpected-response", (_, response) => {
        let body = ""
        response.on("data", (chunk) => (body += String(chunk)))
        response.on("end", () => resume(Effect.fail({ status: response.statusCode ?? 0, body })))
      })
    })
    const given = new Set<ServerFrame>()
    const search = <Type extends ServerFrame["type"]>(type: Type): Received<Type> | undefined => {
      const isNext = (frame: ServerFrame): frame is Received<Type> => frame.type === type && !given.has(frame)
      const frame = frames.find(isNext)
      if (frame !== undefined) given.add(frame)
      return frame
    }
    const whenever = <A>(look: () => A | undefined) =>
      Effect.async<A>((resume) => {
        const wake = () => {
          const found = look()
          if (found === undefined) return
          waiting.delete(wake)
          resume(Effect.succeed(found))
        }
        waiting.add(wake)
        wake()
        return Effect.sync(() => waiting.delete(wake))
      })
    return {
      socket,
      frames,
      send: (frame) => Effect.sync(() => socket.send(typeof frame === "string" ? frame : JSON.stringify(frame))),
      next: (type) => whenever(() => search(type)),
      until: (holds) => Effect.asVoid(whenever(() => (holds() ? true : undefined))),
      seqs: (stream) =>
        frames.flatMap((frame) => (frame.type === "event" && frame.stream === stream ? [frame.seq] : [])),
      closed: Deferred.await(closed)
    }
  })
