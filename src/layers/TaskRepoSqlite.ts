/**
 * TaskRepo on SQLite.
 *
 * Owns: the tables of migration 2 but for the streams (`EventBusSqlite.ts`).
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import { Effect, Layer } from "effect"
import type { EventBus } from "../services/EventBus.ts"
import type { Secrets } from "../services/Secrets.ts"
import { TaskRepo } from "../services/TaskRepo.ts"
import { Transaction } from "../services/Transaction.ts"
import { makeConversationReads } from "./tasks/sqlite/readConversation.ts"
import { makeQuestionReads } from "./tasks/sqlite/readQuestions.ts"
import { makeSpendReads } from "./tasks/sqlite/readSpend.ts"
import { makeTaskReads } from "./tasks/sqlite/readTasks.ts"
import { makeWorkReads } from "./tasks/sqlite/readWork.ts"
import { makeTaskSearch } from "./tasks/sqlite/taskSearch.ts"
import { makeTaskStorage } from "./tasks/sqlite/taskStorage.ts"
import { makeWrites } from "./tasks/writeTasks.ts"

const make = Effect.gen(function* () {
  const search = yield* makeTaskSearch
  const transaction = yield* Transaction
  return TaskRepo.of({
    ...(yield* makeWrites(makeTaskStorage(search, transaction))),
    ...(yield* makeTaskReads(search)),
    ...(yield* makeSpendReads),
    ...(yield* makeConversationReads),
    ...(yield* makeWorkReads),
    ...(yield* makeQuestionReads)
  })
})

export const layer: Layer.Layer<TaskRepo, never, SqlClient | Transaction | EventBus | Secrets> = Layer.effect(
  TaskRepo,
  make
)
