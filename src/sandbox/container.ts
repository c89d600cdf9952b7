/**
 * One container as a resource: made, started and attached to its runner; removed with its volume when the scope closes.
 */
import type { ContainerInspectInfo } from "dockerode"
import { Cause, Deferred, type Duration, Effect, Exit, Fiber, Option, Schedule, type Scope } from "effect"
import { Duplex } from "node:stream"
import { type SandboxHandle, SandboxLost, SandboxUnavailable } from "../services/Sandbox.ts"
import { type ContainerSpec, containerOptions, root } from "./containerSpec.ts"
import { bytesPerFile } from "./diskImages.ts"
import { call, type Engine, EngineError, isCertain, unavailable } from "./engine.ts"
import { Answer, Request, u64 } from "./frames.ts"
import { isGone, removeLater, removeSoon } from "./removal.ts"
import type { Runner } from "./Runner.ts"
import { networkFiles } from "./networkSettings.ts"
import { readFile, writeFile } from "./runnerFiles.ts"
import { trust } from "./secretSettings.ts"
import { RunnerConnection } from "./RunnerConnection.ts"
import { pipe } from "./runnerPipe.ts"
import { run } from "./runnerRun.ts"
import { runnerText } from "./runnerText.ts"
import { edits, makeTreeChanged } from "./treeChanged.ts"

const createTime = "20 seconds"
/** An interrupted opening waits so long to learn whether there is a container. */
const outcomeTime = "3 seconds"
const startTime = "30 seconds"
const inspectTime = "2 seconds"
export const runnerBytes = Buffer.byteLength(runnerText)

export interface OpenOptions {
  /** With something under way and not a byte for so long, the runner is asked whether it lives; as long again, it does not. */
  readonly silence: Duration.DurationInput
  /** Bytes that a sandbox without a file system of its own must leave free on the engine's disk. */
  readonly diskFloorBytes: number
  /** Outlives the sandbox: removals that failed go on there. */
  readonly serverScope: Scope.Scope
}

export const open = Effect.fnUntraced(
  function* (engine: Engine, spec: ContainerSpec, { diskFloorBytes, serverScope, silence }: OpenOptions) {
    yield* create(engine, spec, serverScope)
    const stream = yield* attach(engine, spec.name)
    const connection = yield* Effect.acquireRelease(
      Effect.sync(() => new RunnerConnection(stream)),
      (connection) => Effect.sync(() => connection.lose("it was closed"))
    )
    // Asked once for all, and to the end: who asks first may be cancelled in the meantime.
    const lost = yield* Effect.cached(Effect.uninterruptible(Effect.suspend(() => explain(engine, spec, connection))))
    const runner: Runner = {
      connection,
      lost: Effect.flatMap(lost, (error) => error),
      abandon: removeSoon(engine, spec.name, serverScope)
    }
    yield* start(engine, spec, connection)
    if (Option.isNone(spec.disk)) yield* limitTree(connection, spec.limits.diskBytes, diskFloorBytes)
    yield* Effect.forkScoped(watch(connection, silence))
    if (spec.egress !== null) yield* writeNetworkFiles(runner)
    if (spec.secrets) yield* trust(run(runner), spec.secrets)
    const handle: Omit<SandboxHandle, "refusals"> = {
      root,
      run: run(runner),
      pipe: pipe(runner),
      readFile: readFile(runner),
      writeFile: writeFile(runner),
      treeChanged: makeTreeChanged(connection),
      edits: edits(runner)
    }
    return handle
  },
  (opening, engine, spec) =>
    Effect.mapError(opening, (error) => (error._tag === "EngineError" ? unavailable(engine, spec.image, error) : error))
)

/**
 * Making the container goes on in the background when the opening is interrupted: only its outcome tells what is to be
 * removed.
 */
const create = (engine: Engine, spec: ContainerSpec, serverScope: Scope.Scope) =>
  Effect.acquireRelease(
    call(createTime, (abortSignal) => engine.docker.createContainer({ ...containerOptions(spec), abortSignal })).pipe(
      Effect.forkIn(serverScope)
    ),
    (creating) =>
      Effect.interruptible(Fiber.await(creating)).pipe(
        Effect.timeoutOption(outcomeTime),
        Effect.flatMap((outcome) => {
          if (Option.isNone(outcome)) return removeLater(engine, spec.name, serverScope, true)
          return Exit.match(outcome.value, {
            onSuccess: () => removeSoon(engine, spec.name, serverScope),
            onFailure: (cause) =>
              Option.exists(Cause.failureOption(cause), isCertain)
                ? Effect.void
                : removeLater(engine, spec.name, serverScope, true)
          })
        })
      )
  ).pipe(Effect.flatMap(Fiber.join))

const attach = (engine: Engine, name: string): Effect.Effect<Duplex, EngineError> =>
  call(startTime, (abortSignal) =>
    engine.docker
      .getContainer(name)
      .attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true, abortSignal })
  ).pipe(
    Effect.filterOrFail(
      (stream) => stream instanceof Duplex,
      () => new EngineError({ status: 500, code: null, detail: "the engine gave no connection to the container" })
    )
  )

const start = (engine: Engine, spec: ContainerSpec, connection: RunnerConnection) =>
  Effect.gen(function* () {
    const ready = yield* Deferred.make<boolean, EngineError>()
    connection.listenAgain(0, {
      onAnswer: (type, body) => {
        connection.forget(0)
        Deferred.unsafeDone(ready, Effect.succeed(type === Answer.ready && body[0] === 1))
      },
      onLost: () => Deferred.unsafeDone(ready, Effect.fail(endedEarly(connection)))
    })
    connection.sendText(runnerText)
    yield* call(startTime, (abortSignal) => engine.docker.getContainer(spec.name).start({ abortSignal }))
    const isProtected = yield* Deferred.await(ready).pipe(
      Effect.timeoutFail({
        duration: startTime,
        onTimeout: () => new EngineError({ status: 500, code: null, detail: "its runner did not start in time" })
      })
    )
    if (!isProtected) {
      return yield* new SandboxUnavailable({
        reason: "refused",
        detail: `In a container of ${spec.image} commands could forge what the server is told: its runner is not protected from them.`
      })
    }
  })

/** What is as big as a file system of that size, and holds as many files. */
const limitTree = (connection: RunnerConnection, bytes: number, leastFree: number) =>
  Effect.sync(() => {
    const files = Math.floor(bytes / bytesPerFile)
    connection.send(Request.budget, 0, u64(bytes), u64(files), u64(leastFree), Buffer.from(root))
  })

const endedEarly = (connection: RunnerConnection) =>
  new EngineError({ status: 500, code: null, detail: `its runner did not start: ${connection.complaint}` })

/** Nobody waits for them: a command that comes later finds them there. */
const writeNetworkFiles = (runner: Runner) =>
  Effect.forEach(networkFiles, ([path, text]) => Effect.ignore(writeFile(runner)(path, Buffer.from(text))), {
    concurrency: "unbounded",
    discard: true
  }).pipe(Effect.forkScoped)

/** A hung engine says nothing: silence while something is under way ends the connection. */
const watch = (connection: RunnerConnection, silence: Duration.DurationInput) =>
  Effect.gen(function* () {
    let asked = false
    while (connection.whyLost === undefined) {
      const { received } = connection
      yield* Effect.sleep(silence)
      const silent = connection.isWaitedFor && connection.received === received
      if (silent && asked) connection.lose("it stopped answering")
      else if (silent) connection.ping()
      asked = silent
    }
  })

const endNoted = Schedule.recurs(25).pipe(
  Schedule.addDelay(() => "20 millis"),
  Schedule.zipRight(Schedule.identity<ContainerInspectInfo>()),
  Schedule.whileOutput(({ State }) => State.Running)
)

/** Why the sandbox was lost, from the connection and from what the engine still knows. */
const explain = (engine: Engine, spec: ContainerSpec, connection: RunnerConnection): Effect.Effect<SandboxLost> =>
  connection.exceeded === undefined
    ? Effect.map(whatHappened(engine, spec, connection), (detail) => new SandboxLost({ detail }))
    : Effect.succeed(
        new SandboxLost({
          detail: `The sandbox was ended, its work tree exceeds its disk limit of ${Math.round(spec.limits.diskBytes / 2 ** 20)} MiB: ${connection.exceeded}.`,
          limit: "disk"
        })
      )

const whatHappened = (engine: Engine, spec: ContainerSpec, connection: RunnerConnection) =>
  call(inspectTime, (abortSignal) => engine.docker.getContainer(spec.name).inspect({ abortSignal })).pipe(
    // The connection ends a moment before the engine has noted the end of the container.
    Effect.repeat(endNoted),
    Effect.map(({ State }) =>
      State.OOMKilled
        ? `it was out of memory (limit ${Math.round(spec.limits.memoryBytes / 2 ** 20)} MiB)`
        : State.Running
          ? undefined
          : `its container ${State.ExitCode === 137 ? "was killed" : `ended with exit code ${State.ExitCode}`}`
    ),
    Effect.catchAll((error) =>
      Effect.succeed(isGone(error) ? "its container is gone" : `the Docker engine does not answer: ${error.detail}`)
    ),
    Effect.map((finding) => {
      const complaint = connection.complaint === "" ? "" : ` (${connection.complaint})`
      return `The sandbox was lost: ${finding ?? connection.whyLost ?? "it ended"}${complaint}.`
    })
  )
