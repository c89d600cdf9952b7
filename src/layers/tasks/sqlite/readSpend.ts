/** Money spent, read from the sums by day. */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"
import type { Spend } from "../../../services/Task.ts"
import type { PageRequest, SpendFilter, SpendKey, SpendLine } from "../../../services/TaskRepo.ts"
import { toPage } from "../pages.ts"
import { noSpend, placeBefore, placeOf, rounded, writePlace } from "../spend.ts"

const columns: Record<SpendKey, string> = {
  day: "day",
  repository: "repository_url",
  model: "model",
  task: "task_id"
}

export const makeSpendReads = Effect.gen(function* () {
  const sql = yield* SqlClient

  const sums = sql.literal(`coalesce(sum(input_tokens), 0) AS inputTokens,
    coalesce(sum(output_tokens), 0) AS outputTokens, coalesce(sum(cache_read_tokens), 0) AS cacheReadTokens,
    coalesce(sum(cache_write_tokens), 0) AS cacheWriteTokens, coalesce(sum(cost_usd), 0) AS costUsd,
    coalesce(sum(responses), 0) AS responses`)

  const matches = ({ from, owner, repositories, to }: SpendFilter) =>
    sql.and([
      sql`owner = ${owner}`,
      sql`day >= ${from}`,
      ...(to === undefined ? [] : [sql`day <= ${to}`]),
      ...(repositories === undefined ? [] : [sql`repository_url IN ${sql.in(repositories)}`])
    ])

  const spent = Effect.fn("TaskRepo.spent")(function* (filter: SpendFilter) {
    const rows = yield* sql<Spend>`SELECT ${sums} FROM daily_usage WHERE ${matches(filter)}`
    return rounded(rows[0] ?? noSpend)
  }, Effect.orDie)

  const spending = Effect.fn("TaskRepo.spending")(function* (filter: SpendFilter, by: SpendKey, page: PageRequest) {
    const before = placeBefore(page)
    const cost = sql.literal(by === "day" ? "0.0" : "costUsd")
    const rows = yield* sql<SpendLine>`
      SELECT * FROM (
        SELECT ${sql.literal(columns[by])} AS key, ${sums} FROM daily_usage WHERE ${matches(filter)} GROUP BY 1
      ) WHERE (${cost}, key) < (${before.cost}, ${before.key})
      ORDER BY ${cost} DESC, key DESC LIMIT ${page.limit + 1}`
    return toPage(
      rows,
      page,
      (row) => writePlace(placeOf(by, row)),
      (row): SpendLine => ({ key: row.key, ...rounded(row) })
    )
  }, Effect.orDie)

  return { spent, spending }
})
