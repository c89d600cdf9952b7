/**
 * Room for new work.
 *
 * Owns: measuring the free space where the data lives, against the floor of the settings.
 */
import { statfs } from "node:fs/promises"
import { Effect, Option } from "effect"
import { AppConfig } from "../services/AppConfig.ts"

export interface DiskSpace {
  readonly freeBytes: number
  readonly enough: boolean
}

/** None where it can't be measured. Measured once a second at most. */
export const makeDiskSpace = Effect.gen(function* () {
  const { dataDir, diskFloorBytes } = yield* AppConfig
  const measure = Effect.tryPromise(() => statfs(dataDir)).pipe(
    Effect.map(({ bavail, bsize }) => ({ freeBytes: bavail * bsize, enough: bavail * bsize >= diskFloorBytes })),
    Effect.option
  )
  return yield* Effect.cachedWithTTL(measure, "1 second")
})

export const isEnough = (space: Option.Option<DiskSpace>): boolean =>
  Option.match(space, { onNone: () => true, onSome: ({ enough }) => enough })
