/** What every NetworkLog must do. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { type HostTraffic, NetworkLog } from "../../src/services/NetworkLog.ts"
import { TaskRepo } from "../../src/services/TaskRepo.ts"
import { newTaskId } from "./someEvents.ts"
import { draftOf } from "./someTasks.ts"
import { People } from "./storageLayers.ts"

const at = (second: number) => `2026-01-01T00:00:0${second}.000Z`

const line = (host: string, second: number, sentBytes = 1): HostTraffic => ({
  host,
  requests: 1,
  refusals: 0,
  sentBytes,
  receivedBytes: 2,
  firstAt: at(second),
  lastAt: at(second)
})

const newTask = Effect.gen(function* () {
  const owner = yield* Effect.flatMap(People, ({ newcomer }) => newcomer)
  return (yield* Effect.flatMap(TaskRepo, (repo) => repo.create(draftOf(owner)))).task.id
})

export const networkLogContract = (name: string, layer: Layer.Layer<NetworkLog | TaskRepo | People, unknown>) =>
  describe(name, () => {
    it.effect("sums up what is added for a host, and keeps tasks apart", () =>
      Effect.gen(function* () {
        const log = yield* NetworkLog
        const [one, other] = [yield* newTask, yield* newTask]
        yield* log.add(one, [line("a.example", 2), line("b.example", 3)])
        yield* log.add(one, [line("a.example", 4, 10)])
        yield* log.add(other, [line("a.example", 1)])
        assert.deepStrictEqual(
          [...(yield* log.list(one))],
          [
            {
              host: "a.example",
              requests: 2,
              refusals: 0,
              sentBytes: 11,
              receivedBytes: 4,
              firstAt: at(2),
              lastAt: at(4)
            },
            line("b.example", 3)
          ]
        )
        assert.deepStrictEqual([...(yield* log.list(other))], [line("a.example", 1)])
      }).pipe(Effect.provide(layer))
    )

    it.effect("has nothing of a task that asked for nothing", () =>
      Effect.gen(function* () {
        assert.isEmpty(yield* Effect.flatMap(NetworkLog, (log) => log.list(newTaskId())))
      }).pipe(Effect.provide(layer))
    )
  })
