/**
 * Everything about a task as one JSON document, written as it is read.
 */
import { Chunk, Effect, Option, Stream } from "effect"
import { EventBus, taskStream } from "../../services/EventBus.ts"
import type { Task } from "../../services/Task.ts"
import { type Page, type PageRequest, TaskRepo } from "../../services/TaskRepo.ts"

const itemsAtOnce = 20

const eventsAtOnce = 200

const encoder = new TextEncoder()

/** Every item of a list that comes in pages. */
const everything = <A>(fetch: (request: PageRequest) => Effect.Effect<Page<A>>): Stream.Stream<A> =>
  Stream.paginateChunkEffect(Option.none<string>(), (cursor) =>
    Effect.map(fetch({ limit: itemsAtOnce, cursor }), ({ items, nextCursor }) => [
      Chunk.fromIterable(items),
      nextCursor === null ? Option.none() : Option.some(Option.some(nextCursor))
    ])
  )

const array = (name: string, items: Stream.Stream<unknown>): Stream.Stream<string> =>
  Stream.make(`,\n${JSON.stringify(name)}: [`).pipe(
    Stream.concat(
      Stream.map(Stream.zipWithIndex(items), ([item, index]) => `${index === 0 ? "" : ","}\n${JSON.stringify(item)}`)
    ),
    Stream.concat(Stream.make("]"))
  )

export const makeExport = Effect.gen(function* () {
  const repo = yield* TaskRepo
  const bus = yield* EventBus

  const events = (task: Task) =>
    Stream.paginateChunkEffect(0, (after) =>
      Effect.map(bus.read(taskStream(task.id), after, eventsAtOnce), (page) => {
        const last = page.at(-1)
        const more = page.length === eventsAtOnce && last !== undefined
        return [
          Chunk.map(Chunk.fromIterable(page), ({ seq, at, event }) => ({ seq, at, event })),
          more ? Option.some(last.seq) : Option.none()
        ]
      })
    )

  return ({ owner: _, ...task }: Task): Stream.Stream<Uint8Array> =>
    Stream.make(`{"task": ${JSON.stringify(task)}`).pipe(
      Stream.concat(array("runs", Stream.fromIterableEffect(repo.runs(task.id)))),
      Stream.concat(
        array(
          "messages",
          everything((request) => repo.messages(task.id, request))
        )
      ),
      Stream.concat(array("pending", Stream.fromIterableEffect(repo.pending(task.id)))),
      Stream.concat(
        array(
          "toolCalls",
          everything((request) => repo.toolCalls(task.id, request))
        )
      ),
      Stream.concat(
        array(
          "checkpoints",
          everything((request) => repo.checkpoints(task.id, request))
        )
      ),
      Stream.concat(
        array(
          "questions",
          everything((request) => repo.questions({ task: task.id }, request))
        )
      ),
      Stream.concat(array("events", events({ owner: _, ...task }))),
      Stream.concat(Stream.make("}\n")),
      Stream.map((text) => encoder.encode(text))
    )
})
