/**
 * The log of a task over HTTP: in pages, or as server-sent events that go on.
 */
import { HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Effect, Option, Stream } from "effect"
import { EventBus, type StoredEvent, taskStream } from "../../services/EventBus.ts"
import type { TaskId } from "../../services/Ids.ts"
import type { TaskEvent } from "../../services/TaskEvent.ts"
import { CurrentPrincipal } from "../api/Authentication.ts"
import { Closing } from "../Closing.ts"
import { makeRevocation } from "../revocation.ts"

const heartbeat = "15 seconds"

const encoder = new TextEncoder()

const comment = (text: string) => encoder.encode(`: ${text}\n\n`)

const asServerSent = ({ seq, at, event }: StoredEvent) =>
  encoder.encode(`id: ${seq}\ndata: ${JSON.stringify({ seq, at, event })}\n\n`)

const ahead = (head: number) => encoder.encode(`event: reset\ndata: ${JSON.stringify({ reason: "ahead", head })}\n\n`)

const wantsStream = (accept: string | undefined) =>
  accept !== undefined && /(?:^|,)\s*text\/event-stream\s*(?:;|,|$)/i.test(accept)

const wholeNumber = (text: string | undefined) =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Option.some(Number(text)) : Option.none<number>()

/** Streams of tasks carry nothing but task events; `inbox` alone carries cards. */
const isTaskEvent = (stored: StoredEvent): stored is StoredEvent & { readonly event: TaskEvent } =>
  stored.event.type !== "task.changed"

interface Query {
  readonly after?: number
  readonly cursor?: string
  readonly limit: number
}

export const makeEvents = Effect.gen(function* () {
  const bus = yield* EventBus
  const revocation = yield* makeRevocation
  const closing = yield* Closing

  const page = (id: TaskId, after: number, limit: number) =>
    Effect.gen(function* () {
      const stream = taskStream(id)
      const [items, head, epoch] = yield* Effect.all([bus.read(stream, after, limit), bus.head(stream), bus.epoch])
      const last = items.at(-1)?.seq ?? after
      return { items: items.filter(isTaskEvent), nextCursor: last < head ? String(last) : null, head, epoch }
    })

  /** Starts with a comment, because the headers only leave with the first byte. */
  const serverSent = (id: TaskId, after: number) =>
    Effect.gen(function* () {
      const { deviceId } = yield* CurrentPrincipal
      const [head, epoch] = yield* Effect.all([bus.head(taskStream(id)), bus.epoch])
      const events = Stream.map(bus.follow(taskStream(id), Math.min(after, head)), asServerSent)
      const beats = Stream.as(Stream.tick(heartbeat), comment("still here"))
      return HttpServerResponse.stream(
        Stream.make(comment("connected"), ...(after > head ? [ahead(head)] : [])).pipe(
          Stream.concat(Stream.merge(events, Stream.drop(beats, 1))),
          Stream.interruptWhen(revocation(deviceId)),
          Stream.interruptWhenDeferred(closing)
        ),
        { contentType: "text/event-stream", headers: { "errand-epoch": epoch, "x-accel-buffering": "no" } }
      )
    })

  return (id: TaskId, { after, cursor, limit }: Query) =>
    Effect.gen(function* () {
      const { headers } = yield* HttpServerRequest.HttpServerRequest
      const start = Option.getOrElse(wholeNumber(cursor), () => after ?? 0)
      return wantsStream(headers["accept"])
        ? yield* serverSent(
            id,
            Option.getOrElse(wholeNumber(headers["last-event-id"]), () => start)
          )
        : yield* page(id, start, limit)
    })
})
