/**
 * DiskSpace of the file system that holds the data directory, measured every second.
 */
import type { FileSystem } from "@effect/platform/FileSystem"
import { Duration, Effect, Layer, Option, Schedule, Stream, SubscriptionRef } from "effect"
import { join } from "node:path"
import { AppConfig } from "../services/AppConfig.ts"
import { DiskSpace } from "../services/DiskSpace.ts"
import { DataDir } from "./DataDirLock.ts"
import { type Ballast, ballastSize, makeBallast } from "./disk/ballast.ts"
import { isLow, measure, type Room } from "./disk/measure.ts"

/** How long it takes at most until low space is noticed. */
const interval = Duration.seconds(1)

interface State {
  readonly room: Option.Option<Room>
  readonly low: boolean
}

const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`

const tell = (low: boolean, { freeBytes }: Room) =>
  low
    ? Effect.logWarning(
        `Only ${megabytes(freeBytes)} of the disk are free: new tasks are refused, running ones pause. Free some space.`
      )
    : Effect.logInfo(`${megabytes(freeBytes)} of the disk are free again: paused tasks go on.`)

/** Dropped when not even as much as it takes up is left; taken again when that does not make space low. */
const trim = (ballast: Ballast, { low }: State, room: Room, floorBytes: number) =>
  Effect.gen(function* () {
    const held = yield* ballast.held
    if (held && low && room.freeBytes < ballast.size) yield* ballast.drop
    const afterwards = { ...room, freeBytes: room.freeBytes - ballast.size }
    if (!held && !low && !isLow(true, afterwards, floorBytes)) yield* ballast.take
  }).pipe(Effect.catchAll((error) => Effect.logWarning("The reserve of disk space could not be changed.", error)))

const make = Effect.gen(function* () {
  const { diskFloorBytes } = yield* AppConfig
  const { path } = yield* DataDir
  const ballast = yield* makeBallast(join(path, "ballast"), ballastSize(diskFloorBytes))
  const state = yield* SubscriptionRef.make<State>({ room: Option.none(), low: false })

  const look = Effect.gen(function* () {
    const before = yield* SubscriptionRef.get(state)
    const room = yield* measure(path)
    // What can't be measured is left as it was.
    const low = Option.match(room, {
      onNone: () => before.low,
      onSome: (known) => isLow(before.low, known, diskFloorBytes)
    })
    yield* SubscriptionRef.set(state, { room, low })
    if (Option.isNone(room)) return
    if (low !== before.low) yield* tell(low, room.value)
    if (ballast.size > 0) yield* trim(ballast, { room, low }, room.value, diskFloorBytes)
  })
  yield* look
  yield* look.pipe(Effect.schedule(Schedule.spaced(interval)), Effect.forkScoped)

  return DiskSpace.of({
    free: Effect.map(SubscriptionRef.get(state), ({ room }) => Option.map(room, ({ freeBytes }) => freeBytes)),
    low: Effect.map(SubscriptionRef.get(state), ({ low }) => low),
    until: (wished) => Stream.runDrain(Stream.takeUntil(state.changes, ({ low }) => low === wished))
  })
})

export const layer: Layer.Layer<DiskSpace, never, AppConfig | DataDir | FileSystem> = Layer.scoped(DiskSpace, make)
