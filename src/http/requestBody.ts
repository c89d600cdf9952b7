/**
 * The body of a request.
 *
 * Owns: reading it bounded, refusing what is not JSON in UTF-8, decoding it strictly.
 * Does not own: the schemas (`api/requests.ts`).
 */
import type { IncomingMessage } from "node:http"
import { HttpServerRequest } from "@effect/platform"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Effect, Either, Schema } from "effect"
import { Problem } from "./api/Problem.ts"
import { faults, sentence } from "./faults.ts"

export const mostBytes = 1024 * 1024

/** Deeper JSON than this is an attack on whoever walks through it. */
const mostLevels = 64

const tooLarge = Problem.of("payload_too_large", `A body may have at most ${mostBytes} bytes.`)

/** What a client says about the size beforehand spares both sides the transfer. */
export const announcesTooMuch = (request: IncomingMessage): boolean =>
  Number(request.headers["content-length"]) > mostBytes

/**
 * Reads to the end or to the bound. The rest of a body that is too large is thrown away as it comes, so that the
 * client, still sending, gets to read the answer.
 */
const read = (request: IncomingMessage): Effect.Effect<Buffer, Problem> =>
  Effect.async((resume) => {
    const chunks: Array<Buffer> = []
    let size = 0
    const onData = (chunk: Buffer) => {
      size += chunk.length
      if (size <= mostBytes) return void chunks.push(chunk)
      stop()
      request.resume()
      resume(tooLarge)
    }
    const onEnd = () => {
      stop()
      resume(Effect.succeed(Buffer.concat(chunks)))
    }
    const onError = () => {
      stop()
      resume(Effect.interrupt)
    }
    const stop = () => void request.off("data", onData).off("end", onEnd).off("error", onError)
    request.on("data", onData).on("end", onEnd).on("error", onError)
    return Effect.sync(stop)
  })

const mediaType = /^application\/json\s*(?:;\s*charset="?utf-8"?\s*)?$/i

const bodies = new WeakMap<IncomingMessage, Either.Either<Buffer, Problem>>()

/** The whole body as it came, whatever it is; empty when there is none. */
export const bodyBytes = Effect.gen(function* () {
  const request = NodeHttpServerRequest.toIncomingMessage(yield* HttpServerRequest.HttpServerRequest)
  if (announcesTooMuch(request)) return yield* tooLarge
  const body = bodies.get(request) ?? (yield* Effect.either(read(request)))
  bodies.set(request, body)
  return yield* body
})

/** The whole body as text; empty when there is none. */
export const bodyText = Effect.gen(function* () {
  const bytes = yield* bodyBytes
  const { "content-type": type, "content-encoding": encoding } = (yield* HttpServerRequest.HttpServerRequest).headers
  if (bytes.length === 0) return ""
  if ((type !== undefined && !mediaType.test(type)) || (encoding !== undefined && encoding !== "identity")) {
    return yield* Problem.of("unsupported_media_type", "Send application/json in UTF-8, not compressed.")
  }
  return yield* Effect.try({
    try: () => new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes),
    catch: () => Problem.of("malformed_json", "The body is not valid UTF-8.")
  })
})

/** Walks without recursion, so that depth costs no stack. */
const isTooDeep = (value: unknown): boolean => {
  let level: ReadonlyArray<unknown> = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > mostLevels) return true
    level = level.flatMap((item) => (typeof item === "object" && item !== null ? Object.values(item) : []))
  }
  return false
}

const decodeJson = Schema.decode(Schema.parseJson())

const parse = (text: string): Effect.Effect<unknown, Problem> =>
  decodeJson(text).pipe(
    Effect.mapError(() => Problem.of("malformed_json", "The body is not JSON.")),
    Effect.filterOrFail(
      (value) => !isTooDeep(value),
      () => Problem.of("malformed_json", `The body is nested deeper than ${mostLevels} levels.`)
    )
  )

const strict = { onExcessProperty: "error", errors: "all" } as const

/** Decodes a body; no body counts as an empty object. Every fault is named, also properties that nobody knows. */
export const decodeBody = <A, I>(schema: Schema.Schema<A, I>) => {
  const decode = Schema.decodeUnknownEither(schema, strict)
  return (text: string): Effect.Effect<A, Problem> =>
    Effect.flatMap(text === "" ? Effect.succeed({}) : parse(text), (json) =>
      Either.mapLeft(decode(json), ({ issue }) => {
        const errors = faults(issue)
        return Problem.of("invalid_request", sentence(errors), { errors })
      })
    )
}
