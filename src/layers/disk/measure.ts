/** How much is left of a file system, and whether that is too little. */
import { statfs } from "node:fs/promises"
import { Effect, type Option } from "effect"

export interface Room {
  readonly freeBytes: number
  /** How many files there can be in all, and still; both 0 where a file system sets no number. */
  readonly files: number
  readonly freeFiles: number
}

/** None where it can't be told. */
export const measure = (directory: string): Effect.Effect<Option.Option<Room>> =>
  Effect.option(
    Effect.map(
      Effect.tryPromise(() => statfs(directory)),
      ({ bavail, bsize, ffree, files }) => ({ freeBytes: bavail * bsize, files, freeFiles: ffree })
    )
  )

/** A repository is made of many small files: this many must be left, or a twentieth of a small file system's. */
const mostFilesKept = 5_000

/** Space that was low has to be a fifth above the floor, so that nothing starts and stops at every file. */
const margin = 1.2

/** A floor of 0 is none at all. */
export const isLow = (wasLow: boolean, { files, freeBytes, freeFiles }: Room, floorBytes: number): boolean => {
  const factor = wasLow ? margin : 1
  return floorBytes > 0 && (freeBytes < floorBytes * factor || freeFiles < Math.min(mostFilesKept, files / 20) * factor)
}
