import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as NetworkLogMemory from "../../src/layers/NetworkLogMemory.ts"
import * as NetworkLogSqlite from "../../src/layers/NetworkLogSqlite.ts"
import { NetworkLog } from "../../src/services/NetworkLog.ts"
import { networkLogContract } from "../support/networkLogContract.ts"
import { newTaskId } from "../support/someEvents.ts"
import { tasksMemory, tasksSqlite } from "../support/storageLayers.ts"

const onSqlite = NetworkLogSqlite.layer.pipe(Layer.provideMerge(tasksSqlite))

networkLogContract("NetworkLogMemory", Layer.merge(NetworkLogMemory.layer, tasksMemory))
networkLogContract("NetworkLogSqlite", onSqlite)

it.effect("NetworkLogSqlite stores nothing for a task that is gone", () =>
  Effect.gen(function* () {
    const log = yield* NetworkLog
    const id = newTaskId()
    const at = "2026-01-01T00:00:00.000Z"
    const none = { requests: 1, refusals: 0, sentBytes: 0, receivedBytes: 0, firstAt: at, lastAt: at }
    yield* log.add(id, [{ host: "a.example", ...none }])
    assert.isEmpty(yield* log.list(id))
  }).pipe(Effect.provide(onSqlite))
)
