import { Effect, Layer } from "effect"
import * as BudgetsMemory from "../../src/layers/BudgetsMemory.ts"
import * as BudgetsSqlite from "../../src/layers/BudgetsSqlite.ts"
import { TaskQueue } from "../../src/services/TaskQueue.ts"
import { budgetsContract, lastingBudgetsContract } from "../support/budgetsContract.ts"
import { tasksMemory, tasksSqlite } from "../support/storageLayers.ts"

const queue = Layer.mock(TaskQueue, { wake: Effect.void })
const onSqlite = Layer.provide(BudgetsSqlite.layer, queue)

budgetsContract("BudgetsMemory", tasksMemory, Layer.provide(BudgetsMemory.layer, queue))
budgetsContract("BudgetsSqlite", tasksSqlite, onSqlite)
lastingBudgetsContract("BudgetsSqlite, started again", tasksSqlite, onSqlite)
