/**
 * A file that takes up space for nothing, until there is none left: then it goes, and the server can still write down
 * what it must.
 */
import { FileSystem } from "@effect/platform"
import type { PlatformError } from "@effect/platform/Error"
import { Effect } from "effect"
import { randomFillSync } from "node:crypto"

const MiB = 2 ** 20
const most = 64 * MiB
const piece = 64 * 1024

/** Bytes for a floor: room for the last steps of every running task, and for the notes that they pause. */
export const ballastSize = (floorBytes: number): number => Math.floor(Math.min(floorBytes / 2, most))

export interface Ballast {
  readonly size: number
  readonly held: Effect.Effect<boolean>
  readonly take: Effect.Effect<void, PlatformError>
  readonly drop: Effect.Effect<void, PlatformError>
}

/** Of random bytes, which no file system stores smaller than they are. */
export const makeBallast = Effect.fnUntraced(function* (file: string, size: number) {
  const files = yield* FileSystem.FileSystem
  const drop = files.remove(file, { force: true })
  const fill = Effect.gen(function* () {
    const open = yield* files.open(file, { flag: "w", mode: 0o600 })
    // One buffer for all of it: the memory of 64 MB in many would stay taken for minutes.
    const bytes = Buffer.allocUnsafe(piece)
    for (let left = size; left > 0; left -= piece) {
      yield* open.writeAll(randomFillSync(bytes).subarray(0, Math.min(left, piece)))
    }
  }).pipe(Effect.scoped)
  const ballast: Ballast = {
    size,
    held: files.stat(file).pipe(
      Effect.map((info) => Number(info.size) >= size),
      Effect.orElseSucceed(() => false)
    ),
    // Half a ballast is none: it would only be in the way.
    take: Effect.onError(fill, () => Effect.ignore(drop)),
    drop
  }
  return ballast
})
