import { Layer } from "effect"
import * as AccountsMemory from "../../src/layers/AccountsMemory.ts"
import * as AccountsSqlite from "../../src/layers/AccountsSqlite.ts"
import * as IdsUlid from "../../src/layers/IdsUlid.ts"
import * as SchedulesMemory from "../../src/layers/SchedulesMemory.ts"
import * as SchedulesSqlite from "../../src/layers/SchedulesSqlite.ts"
import { schedulesContract } from "../support/schedulesContract.ts"
import { eventsMemory, eventsSqlite } from "../support/storageLayers.ts"

const memory = Layer.merge(SchedulesMemory.layer, AccountsMemory.layer).pipe(
  Layer.provideMerge(eventsMemory),
  Layer.provideMerge(IdsUlid.layer)
)
const sqlite = Layer.merge(SchedulesSqlite.layer, AccountsSqlite.layer).pipe(
  Layer.provideMerge(eventsSqlite),
  Layer.provideMerge(IdsUlid.layer)
)

schedulesContract("SchedulesMemory", memory)
schedulesContract("SchedulesSqlite", sqlite)
