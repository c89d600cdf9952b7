import { NodeFileSystem } from "@effect/platform-node"
import { FileSystem } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Layer, SubscriptionRef } from "effect"
import { join } from "node:path"
import * as AppConfigEnv from "../../src/layers/AppConfigEnv.ts"
import { DataDir } from "../../src/layers/DataDirLock.ts"
import { ballastSize, makeBallast } from "../../src/layers/disk/ballast.ts"
import { isLow } from "../../src/layers/disk/measure.ts"
import * as DiskSpaceMemory from "../../src/layers/DiskSpaceMemory.ts"
import * as DiskSpaceStatfs from "../../src/layers/DiskSpaceStatfs.ts"
import { DiskSpace } from "../../src/services/DiskSpace.ts"

const directory = Effect.flatMap(FileSystem.FileSystem, (files) =>
  files.makeTempDirectoryScoped({ prefix: "errand-disk-" })
).pipe(Effect.provide(NodeFileSystem.layer))

const onDisk = (path: string, diskFloorBytes: number) =>
  DiskSpaceStatfs.layer.pipe(
    Layer.provide([
      AppConfigEnv.layerWith({ dataDir: path, diskFloorBytes }),
      Layer.succeed(DataDir, { path, serverId: "test" }),
      NodeFileSystem.layer
    ])
  )

const ballastIn = (path: string) =>
  Effect.flatMap(FileSystem.FileSystem, (files) => files.exists(join(path, "ballast"))).pipe(
    Effect.provide(NodeFileSystem.layer)
  )

const bytesLeft = (freeBytes: number) => ({ freeBytes, files: 0, freeFiles: 0 })
const filesLeft = (files: number, freeFiles: number) => ({ freeBytes: 1e9, files, freeFiles })

describe("DiskSpace", () => {
  it("is low below the floor, until there is a fifth more than that", () => {
    expect([100, 99].map((free) => isLow(false, bytesLeft(free), 100))).toEqual([false, true])
    expect([120, 119].map((free) => isLow(true, bytesLeft(free), 100))).toEqual([false, true])
    expect(isLow(true, bytesLeft(0), 0)).toBe(false)
  })

  it("is low when there can be few more files, where a file system sets their number", () => {
    expect(isLow(false, filesLeft(1_000_000, 4_999), 100)).toBe(true)
    expect(isLow(false, filesLeft(1_000_000, 5_000), 100)).toBe(false)
    expect(isLow(true, filesLeft(1_000_000, 5_500), 100)).toBe(true)
    expect(isLow(false, filesLeft(16_384, 800), 100)).toBe(true)
    expect(isLow(false, filesLeft(16_384, 900), 100)).toBe(false)
  })

  it.effect("says so to those who wait for it", () =>
    Effect.gen(function* () {
      const low = yield* SubscriptionRef.make(false)
      yield* Effect.gen(function* () {
        const disk = yield* DiskSpace
        yield* disk.until(false)
        const waiting = yield* Effect.fork(disk.until(true))
        yield* SubscriptionRef.set(low, true)
        yield* Fiber.join(waiting)
        expect(yield* disk.low).toBe(true)
      }).pipe(Effect.provide(DiskSpaceMemory.layerWith(low)))
    })
  )

  it.scopedLive("measures a real disk, and keeps a reserve where there is room for it", () =>
    Effect.gen(function* () {
      const path = yield* directory
      yield* Effect.gen(function* () {
        const disk = yield* DiskSpace
        yield* disk.until(false)
        expect(yield* disk.low).toBe(false)
        expect(yield* disk.free).toMatchObject({ _tag: "Some", value: expect.any(Number) })
        expect(yield* ballastIn(path)).toBe(true)
      }).pipe(Effect.provide(onDisk(path, 2 ** 20)))
      // The same directory under a floor that no disk reaches: the reserve stays, for there is more left than it takes.
      yield* Effect.gen(function* () {
        const disk = yield* DiskSpace
        yield* disk.until(true)
        expect(yield* disk.low).toBe(true)
      }).pipe(Effect.provide(onDisk(path, Number.MAX_SAFE_INTEGER)))
    })
  )

  it.scopedLive("is never low, and keeps no reserve, without a floor", () =>
    Effect.gen(function* () {
      const path = yield* directory
      yield* Effect.flatMap(DiskSpace, (disk) => disk.until(false)).pipe(Effect.provide(onDisk(path, 0)))
      expect(yield* ballastIn(path)).toBe(false)
    })
  )

  it.scopedLive("has a reserve of the size it says, or none", () =>
    Effect.gen(function* () {
      const file = join(yield* directory, "ballast")
      const size = ballastSize(5_000_000)
      expect([size, ballastSize(2 ** 40)]).toEqual([2_500_000, 64 * 2 ** 20])
      const ballast = yield* makeBallast(file, size)
      expect(yield* ballast.held).toBe(false)
      yield* ballast.take
      expect(yield* ballast.held).toBe(true)
      const files = yield* FileSystem.FileSystem
      expect(Number((yield* files.stat(file)).size)).toBe(size)
      yield* files.truncate(file, 1000)
      expect(yield* ballast.held).toBe(false)
      yield* ballast.drop
      yield* ballast.drop
      expect(yield* files.exists(file)).toBe(false)
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )
})
