import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import { TaskChange } from "../../src/services/TaskChange.ts"
import { TaskRepo } from "../../src/services/TaskRepo.ts"
import { wholePage } from "../support/pagesOf.ts"
import { count, finishTool, running, say, startTool, these } from "../support/someTasks.ts"
import { tasksSqlite } from "../support/storageLayers.ts"

const countRows = (table: string) =>
  Effect.flatMap(SqlClient, (sql) =>
    Effect.map(sql.unsafe<{ count: number }>(`SELECT count(*) AS count FROM ${table}`), (rows) => rows[0]?.count)
  )

describe("TaskRepoSqlite", () => {
  it.effect("can be asked in SQL, in the words of the contract", () =>
    Effect.gen(function* () {
      const repo = yield* TaskRepo
      const sql = yield* SqlClient
      const task = yield* running({ tags: ["a"] })
      yield* repo.change(task.id, these(say("hello"), startTool("t"), finishTool("t"), count("r", 0.05)))
      const rows = yield* sql`
        SELECT tasks.status, json_extract(tags, '$[0]') AS tag, messages.role, tool_calls.tool, usage.cost_usd, runs.number,
          (SELECT group_concat(type, ' ') FROM events WHERE stream = 'task:' || tasks.id) AS types
        FROM tasks JOIN messages ON messages.task_id = tasks.id JOIN tool_calls ON tool_calls.task_id = tasks.id
          JOIN usage ON usage.task_id = tasks.id JOIN runs ON runs.task_id = tasks.id WHERE tasks.id = ${task.id}`
      assert.deepStrictEqual(rows, [
        {
          status: "running",
          tag: "a",
          role: "assistant",
          tool: "run_command",
          cost_usd: 0.05,
          number: 1,
          types: "task.created run.started message.added tool.started tool.finished usage.updated"
        }
      ])
    }).pipe(Effect.provide(tasksSqlite))
  )

  it.effect("leaves nothing of a removed task but its events' costs", () =>
    Effect.gen(function* () {
      const repo = yield* TaskRepo
      const task = yield* running()
      yield* repo.change(task.id, these(say("indexed"), startTool("t")))
      yield* repo.list({ owner: task.owner, q: "indexed" }, wholePage)
      yield* repo.change(task.id, these(say("waiting to be indexed"), count("r"), TaskChange.Completed()))
      yield* repo.remove(task.id)
      for (const table of ["tasks", "messages", "tool_calls", "runs", "log_chunks", "search_backlog", "task_search"]) {
        assert.strictEqual(yield* countRows(table), 0, table)
      }
      assert.strictEqual(yield* countRows("usage"), 1)
    }).pipe(Effect.provide(tasksSqlite))
  )

  it.effect("keeps few texts waiting for the index, by number and by size", () =>
    Effect.gen(function* () {
      const repo = yield* TaskRepo
      const task = yield* running()
      yield* Effect.forEach(Array.from({ length: 130 }), () => repo.change(task.id, these(say("short"))))
      assert.isBelow((yield* countRows("search_backlog")) ?? 0, 64)
      yield* Effect.forEach(Array.from({ length: 5 }), () => repo.change(task.id, these(say("long ".repeat(20_000)))))
      assert.isBelow((yield* countRows("search_backlog")) ?? 0, 5)
      assert.strictEqual((yield* repo.list({ owner: task.owner, q: "long short" }, wholePage)).items.length, 1)
    }).pipe(Effect.provide(tasksSqlite))
  )

  it.effect("names the table of a row that it can't read", () =>
    Effect.gen(function* () {
      const repo = yield* TaskRepo
      const sql = yield* SqlClient
      const task = yield* running()
      yield* sql`UPDATE tasks SET tags = 'not JSON' WHERE id = ${task.id}`
      const exit = yield* Effect.exit(repo.get(task.id))
      assert.isTrue(Exit.isFailure(exit))
      if (Exit.isFailure(exit))
        assert.include(Cause.pretty(exit.cause), "The table tasks holds a row that can't be read")
    }).pipe(Effect.provide(tasksSqlite))
  )
})
