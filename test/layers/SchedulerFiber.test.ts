import { Layer } from "effect"
import * as AccountsMemory from "../../src/layers/AccountsMemory.ts"
import * as AccountsSqlite from "../../src/layers/AccountsSqlite.ts"
import * as IdsUlid from "../../src/layers/IdsUlid.ts"
import * as SchedulesMemory from "../../src/layers/SchedulesMemory.ts"
import * as SchedulesSqlite from "../../src/layers/SchedulesSqlite.ts"
import * as SecretsMemory from "../../src/layers/SecretsMemory.ts"
import * as TaskRepoMemory from "../../src/layers/TaskRepoMemory.ts"
import * as TaskRepoSqlite from "../../src/layers/TaskRepoSqlite.ts"
import { schedulerContract } from "../support/schedulerContract.ts"
import { eventsMemory, eventsSqlite } from "../support/storageLayers.ts"

const memory = Layer.mergeAll(SchedulesMemory.layer, TaskRepoMemory.layer, AccountsMemory.layer).pipe(
  Layer.provideMerge(eventsMemory),
  Layer.provideMerge(Layer.merge(IdsUlid.layer, SecretsMemory.layer))
)
const sqlite = Layer.mergeAll(SchedulesSqlite.layer, TaskRepoSqlite.layer, AccountsSqlite.layer).pipe(
  Layer.provideMerge(eventsSqlite),
  Layer.provideMerge(Layer.merge(IdsUlid.layer, SecretsMemory.layer))
)

schedulerContract("SchedulerFiber in memory", memory)
schedulerContract("SchedulerFiber on SQLite", sqlite)
