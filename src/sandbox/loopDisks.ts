/**
 * A file system of its own and of a fixed size for each sandbox, where the server may have that: an ext4 image behind a
 * loop device, which the engine mounts as the sandbox's volume.
 *
 * Owns: whether there can be any here. It takes root, and an engine on this very machine.
 * Does not own: the images (`diskImages.ts`), attaching them (`diskHolders.ts`), mounting (the engine does it), and the limit
 * of a volume that is measured instead (`runner/budget.py`).
 */
import { Deferred, Effect, ExecutionStrategy, Exit, Option, Scope } from "effect"
import { stat } from "node:fs/promises"
import { join } from "node:path"
import { type AttachCopy, makeAttachCopy } from "./diskHolders.ts"
import { clearImages, type DiskImageFailed, makeTemplate } from "./diskImages.ts"
import { call, type Engine, type EngineError } from "./engine.ts"

export interface LoopDisks {
  /** The path of a block device, to be mounted before the scope closes; none where the volume has to be measured. */
  readonly take: Effect.Effect<Option.Option<string>, EngineError, Scope.Scope>
  /** There will be none from now on. */
  readonly giveUp: (reason: string) => Effect.Effect<void>
}

export interface Options {
  /** Nobody else's: what is in it is taken for the leavings of a former life. */
  readonly directory: string
  readonly bytes: number
  /** Sandboxes that there can be at once. */
  readonly most: number
  /** Of the volume that is made to see where it is. */
  readonly labels: Readonly<Record<string, string>>
  readonly probeName: string
}

const requestTime = "5 seconds"
/** After a sandbox has taken one, when the engine has started it and those that began with it: nobody waits for the next. */
const restockDelay = "2 seconds"
/** The user inside; an engine with user namespaces adds its own first number. */
const insideId = 1000

type Support = { readonly attachCopy: AttachCopy } | { readonly missing: string }

/** Attached, and held until its scope closes. */
interface Disk {
  readonly device: string
  readonly scope: Scope.CloseableScope
}

type Making = Deferred.Deferred<Disk, DiskImageFailed>

const release = ({ scope }: Disk) => Scope.close(scope, Exit.void)

const without = (missing: string): Support => ({ missing })

export const make = (
  { bytes, directory, labels, most, probeName }: Options,
  { docker }: Engine
): Effect.Effect<LoopDisks, never, Scope.Scope> =>
  Effect.gen(function* () {
    yield* clearImages(directory)
    const serverScope = yield* Effect.scope
    const oneAtATime = yield* Effect.makeSemaphore(1)
    let known: Support | undefined
    const stocking = yield* Effect.makeSemaphore(1)
    const spares: Array<Making> = []
    /** As many as were missing when they were needed. */
    let wanted = 0

    const settle = (support: Support) =>
      Effect.sync(() => {
        known = support
        return support
      })

    /** A volume shows where the engine keeps its files, and as whom, if that is a place of this machine. */
    const rootOfVolumes = Effect.suspend(() => {
      const volume = docker.getVolume(probeName)
      return call(requestTime, (abortSignal) =>
        docker.createVolume({ Name: probeName, Labels: labels, abortSignal })
      ).pipe(
        Effect.zipRight(call(requestTime, (abortSignal) => volume.inspect({ abortSignal }))),
        Effect.flatMap(({ Mountpoint }) => Effect.option(Effect.tryPromise(() => stat(Mountpoint)))),
        // By name, since a request that was interrupted may have been heard.
        Effect.ensuring(Effect.ignore(call(requestTime, (abortSignal) => volume.remove({ abortSignal }))))
      )
    })

    const look = Effect.gen(function* () {
      if (process.platform !== "linux" || process.getuid?.() !== 0) return without("the server does not run as root")
      const { SecurityOptions } = yield* call(requestTime, () => docker.info())
      if (String(SecurityOptions).includes("rootless")) return without("a rootless engine mounts no file system")
      const place = yield* rootOfVolumes
      if (Option.isNone(place)) return without("the engine's files are not on this machine")
      const { gid, uid } = place.value
      const template = join(directory, `template-${process.pid}`)
      return yield* makeTemplate(template, bytes, uid + insideId, gid + insideId).pipe(
        Effect.zipRight(Scope.extend(makeAttachCopy(template, directory), serverScope)),
        Effect.match({ onSuccess: (attachCopy) => ({ attachCopy }), onFailure: ({ detail }) => without(detail) })
      )
    })

    const support = oneAtATime.withPermits(1)(
      Effect.suspend(() => (known === undefined ? Effect.flatMap(look, settle) : Effect.succeed(known)))
    )

    const giveUp = (missing: string) =>
      Effect.zipRight(
        settle(without(missing)),
        Effect.logWarning(`Sandboxes get no file system of their own: ${missing}. What they write is measured instead.`)
      )

    const prepare = (attachCopy: AttachCopy) =>
      Effect.gen(function* () {
        const scope = yield* Scope.fork(serverScope, ExecutionStrategy.sequential)
        const device = yield* attachCopy.pipe(
          Scope.extend(scope),
          Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
        )
        return { device, scope }
      })

    const begin = (attachCopy: AttachCopy, making: Making) =>
      Effect.forkIn(Effect.intoDeferred(prepare(attachCopy), making), serverScope)

    /** One after the other, each put down before it is made: another fiber may look meanwhile. */
    const restock = (attachCopy: AttachCopy) =>
      Effect.gen(function* () {
        while (spares.length < wanted) {
          const making = yield* Deferred.make<Disk, DiskImageFailed>()
          spares.push(making)
          yield* Effect.intoDeferred(prepare(attachCopy), making)
        }
      }).pipe(stocking.withPermits(1), Effect.delay(restockDelay), Effect.interruptible, Effect.forkIn(serverScope))

    /** Whoever gives up waiting leaves it to be released. */
    const takeFrom = (attachCopy: AttachCopy) =>
      Effect.gen(function* () {
        const kept = spares.shift()
        const making = kept ?? (yield* Deferred.make<Disk, DiskImageFailed>())
        if (kept === undefined) {
          wanted = Math.min(wanted + 1, most)
          yield* begin(attachCopy, making)
        }
        yield* restock(attachCopy)
        const disk = yield* Deferred.await(making).pipe(
          Effect.interruptible,
          Effect.onInterrupt(() => Effect.forkIn(Effect.flatMap(Deferred.await(making), release), serverScope))
        )
        yield* Effect.addFinalizer(() => release(disk))
        return Option.some(disk.device)
      }).pipe(Effect.uninterruptible)

    return {
      take: Effect.flatMap(support, (found) =>
        "missing" in found
          ? Effect.succeedNone
          : Effect.catchAll(takeFrom(found.attachCopy), ({ detail }) => Effect.as(giveUp(detail), Option.none()))
      ),
      giveUp
    }
  })
