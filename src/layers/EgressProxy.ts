/**
 * Egress through a proxy in this process: one Unix socket, and so one policy, for each sandbox.
 *
 * Owns: the sockets and their directories; storing what was refused and what went through.
 * Does not own: what the proxy lets through (`egress/`).
 */
import { FileSystem } from "@effect/platform"
import { Effect, Layer, Mailbox, Option, Schedule, Stream } from "effect"
import { join } from "node:path"
import { AppConfig } from "../services/AppConfig.ts"
import { Egress, type EgressSpec, EgressUnavailable, type Refusal } from "../services/Egress.ts"
import { Ids, type TaskId } from "../services/Ids.ts"
import { NetworkLog } from "../services/NetworkLog.ts"
import { TaskChange } from "../services/TaskChange.ts"
import { byRun } from "../services/TaskCommands.ts"
import { TaskRepo } from "../services/TaskRepo.ts"
import { DataDir } from "./DataDirLock.ts"
import { makeReach } from "./egress/fetchPackage.ts"
import { Interception } from "./egress/Interception.ts"
import { Ledger } from "./egress/Ledger.ts"
import { type Outside, theInternet } from "./egress/Outside.ts"
import { Policy } from "./egress/Policy.ts"
import { serveTask } from "./egress/TaskProxy.ts"
import { now } from "./timestamp.ts"

/** What a crash of the server may lose of the counts. */
const storeEvery = "5 seconds"
/** Bytes of the path of a Unix socket, without the zero at its end. */
const longestPath = 107
const socketName = "egress.sock"

interface OpenWay {
  readonly taskId: TaskId
  readonly policy: Policy
  readonly ledger: Ledger
}

interface Blocked {
  readonly spec: EgressSpec
  readonly refusal: Refusal
}

const make = (outside: Outside) =>
  Effect.gen(function* () {
    const { registries } = yield* AppConfig
    const { path: dataDir } = yield* DataDir
    const files = yield* FileSystem.FileSystem
    const ids = yield* Ids
    const log = yield* NetworkLog
    const repo = yield* TaskRepo
    const interception = yield* Interception
    const parent = join(dataDir, "egress")
    const ways = new Set<OpenWay>()

    const unavailable = (error: Error) =>
      new EgressUnavailable({ detail: `No sockets for sandboxes can be made in ${parent}: ${error.message}` })

    /** Who lives in the same machine as another user gets no further than to the parent. */
    const directory = Effect.gen(function* () {
      const path = join(parent, yield* ids.plain)
      if (Buffer.byteLength(join(path, socketName)) > longestPath) {
        return yield* new EgressUnavailable({
          detail: `The path of the data directory is too long for the sockets of sandboxes: name one with at most ${longestPath - Buffer.byteLength(join(path, socketName)) + Buffer.byteLength(dataDir)} bytes in ERRAND_DATA_DIR.`
        })
      }
      yield* files.makeDirectory(parent, { recursive: true, mode: 0o700 }).pipe(Effect.mapError(unavailable))
      return yield* Effect.acquireRelease(
        files.makeDirectory(path, { mode: 0o755 }).pipe(Effect.mapError(unavailable), Effect.as(path)),
        () => Effect.ignore(files.remove(path, { recursive: true }))
      )
    })

    const store = ({ ledger, taskId }: OpenWay) =>
      Effect.flatMap(now, (at) => {
        const traffic = ledger.takeTraffic(at)
        return traffic.length === 0 ? Effect.void : log.add(taskId, traffic)
      }).pipe(
        Effect.catchAllCause((cause) => Effect.logWarning("the traffic of a task could not be stored", cause)),
        Effect.annotateLogs({ taskId })
      )

    const blocked = yield* Mailbox.make<Blocked>()
    yield* Mailbox.toStream(blocked).pipe(
      Stream.runForEach(({ refusal: { host, reason }, spec }) =>
        repo.change(spec.taskId, byRun(spec.run, [TaskChange.NetworkBlocked({ host, reason })])).pipe(
          // Its run is over, or there is no space to say so; the sandbox was refused all the same.
          Effect.catchAllCause((cause) => Effect.logDebug("a refusal was not stored", cause)),
          Effect.annotateLogs({ taskId: spec.taskId, run: spec.run })
        )
      ),
      Effect.forkScoped
    )
    yield* Effect.suspend(() => Effect.forEach(ways, store, { discard: true })).pipe(
      Effect.repeat(Schedule.spaced(storeEvery)),
      Effect.forkScoped
    )
    yield* Effect.ignore(files.remove(parent, { recursive: true }))

    return Egress.of({
      open: Effect.fn("Egress.open")(function* (spec) {
        const { taskId } = spec
        const policy = new Policy(spec)
        const ledger = new Ledger(yield* log.list(taskId))
        const way = { taskId, policy, ledger }
        yield* Effect.acquireRelease(
          Effect.sync(() => ways.add(way)),
          () =>
            Effect.zipRight(
              store(way),
              Effect.sync(() => ways.delete(way))
            )
        )
        // What the owner allowed between the lease and this moment.
        const task = yield* Effect.option(repo.get(taskId))
        if (task._tag === "Some") for (const host of task.value.network.hosts) policy.allow(host)
        const interceptor = yield* interception.of(spec)
        if (Option.isSome(interceptor)) interceptor.value.hosts.forEach((host) => policy.allow(host))
        const path = yield* directory
        yield* serveTask(join(path, socketName), {
          policy,
          ledger,
          outside,
          registries,
          interceptor,
          reach: yield* makeReach(outside),
          onRefused: (refusal) => blocked.unsafeOffer({ spec, refusal })
        }).pipe(Effect.mapError(unavailable))
        const secrets = Option.getOrNull(Option.map(interceptor, ({ inside }) => inside))
        return { directory: path, secrets, refusals: Effect.sync(() => ledger.takeRefusals()) }
      }),
      allow: (taskId, host) =>
        Effect.sync(() => {
          for (const way of ways) if (way.taskId === taskId) way.policy.allow(host)
        })
    })
  })

type Needs = AppConfig | DataDir | FileSystem.FileSystem | Ids | NetworkLog | TaskRepo

export const layerWith = (outside: Outside): Layer.Layer<Egress, never, Needs> => Layer.scoped(Egress, make(outside))

export const layer = layerWith(theInternet)
