/**
 * Full text search over tasks.
 *
 * A text that is committed alone costs five times what it costs among others (0.26 ms against 0.05 ms for 2 kB), so texts
 * wait in `search_backlog` until there are enough of them, or somebody searches.
 *
 * Owns: the tables `task_search` and `search_backlog`, and the words of a query.
 * Does not own: which texts are searchable (`searchableText.ts`).
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect, Ref } from "effect"
import type { TaskId } from "../../../services/Ids.ts"
import { Transaction } from "../../../services/Transaction.ts"
import { insert } from "../../sqlite/statements.ts"
import { phrasesOf } from "../phrases.ts"

/** How much may wait; together they keep the time that indexing adds to one transaction under 5 ms. */
const mostTexts = 64
const mostCharacters = 128 * 1024

export type TaskSearch = Effect.Effect.Success<typeof makeTaskSearch>

export const makeTaskSearch = Effect.gen(function* () {
  const sql = yield* SqlClient
  const transaction = yield* Transaction
  const waiting = yield* Ref.make(0)

  const indexBacklog = Effect.gen(function* () {
    yield* sql`INSERT INTO task_search (task_id, text) SELECT task_id, text FROM search_backlog ORDER BY position`
    yield* sql`DELETE FROM search_backlog`
    yield* Ref.set(waiting, 0)
  })

  /** Inside the transaction that stores the texts. */
  const add = Effect.fnUntraced(function* (id: TaskId, texts: ReadonlyArray<string>) {
    if (texts.length === 0) return
    const rows = texts.map((text) => ({ task_id: id, text }))
    const positions = yield* insert<{ position: number }>("search_backlog", rows, "RETURNING position")
    const characters = yield* Ref.updateAndGet(waiting, (count) =>
      texts.reduce((sum, text) => sum + text.length, count)
    )
    if (characters > mostCharacters || positions.some(({ position }) => position >= mostTexts)) yield* indexBacklog
  })

  /** What waits is indexed first; without space for it, it is not found until there is some. */
  const catchUp = Effect.gen(function* () {
    const backlog = yield* sql`SELECT 1 FROM search_backlog LIMIT 1`
    if (backlog.length > 0) yield* Effect.catchTag(transaction.run(indexBacklog), "StorageFull", () => Effect.void)
  })

  /** Conditions that all hold for the tasks that are found; none for a blank query. */
  const conditions = Effect.fnUntraced(function* (query: string) {
    if (query.trim() === "") return []
    yield* catchUp
    const phrases = phrasesOf(query)
    if (phrases.length === 0) return [sql`FALSE`]
    return phrases.map(
      (words) => sql`id IN (SELECT task_id FROM task_search WHERE task_search MATCH ${`"${words.join(" ")}"`})`
    )
  })

  const remove = (id: TaskId) =>
    Effect.zipRight(
      sql`DELETE FROM search_backlog WHERE task_id = ${id}`,
      sql`DELETE FROM task_search WHERE task_id = ${id}`
    )

  return { add, conditions, remove }
})
