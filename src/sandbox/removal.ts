/** Removing containers: always, in bounded time, and later when it can't be done now. */
import { Effect, Schedule, type Scope } from "effect"
import { call, type Engine, type EngineError } from "./engine.ts"

/** For one request, for all of its retries, and between tries that nobody waits for. */
const requestTime = "5 seconds"
const waitingTime = "5 seconds"
const laterEvery = "5 seconds"
/** A container whose making was not confirmed may still appear within two minutes. */
const doubtfulTries = 24

export const isGone = (error: EngineError) => error.status === 404

/** Another request, or the engine itself, is removing it. */
const isUnderWay = (error: EngineError) => error.status === 409

/** Three seconds, in which a removal that is under way is over. */
const underWayPolls = Schedule.spaced("50 millis").pipe(Schedule.intersect(Schedule.recurs(60)))
const retries = Schedule.exponential("100 millis").pipe(Schedule.intersect(Schedule.recurs(4)))

/** True when it was there. Returns when it is gone, with its volume. */
export const remove = ({ docker }: Engine, name: string): Effect.Effect<boolean, EngineError> =>
  call(requestTime, (abortSignal) => docker.getContainer(name).remove({ force: true, v: true, abortSignal })).pipe(
    Effect.as(true),
    Effect.retry({ while: isUnderWay, schedule: underWayPolls }),
    Effect.catchIf(isGone, () => Effect.succeed(false)),
    Effect.retry(retries)
  )

/** Removes the volumes with a label that no container has any more: of containers that somebody removed by hand. */
export const removeVolumes = ({ docker }: Engine, label: string): Effect.Effect<void, EngineError> =>
  call(requestTime, (abortSignal) =>
    docker.listVolumes({ filters: { label: [label], dangling: ["true"] }, abortSignal })
  ).pipe(
    Effect.flatMap(({ Volumes }) =>
      Effect.forEach(Volumes ?? [], ({ Name }) =>
        call(requestTime, (abortSignal) => docker.getVolume(Name).remove({ abortSignal })).pipe(
          Effect.catchIf(
            (error) => isGone(error) || isUnderWay(error),
            () => Effect.void
          )
        )
      )
    ),
    Effect.asVoid
  )

/** Goes on in the background of `scope` until the container is gone; what is left then, the next start sweeps up. */
export const removeLater = (engine: Engine, name: string, scope: Scope.Scope, doubtful: boolean) =>
  remove(engine, name).pipe(
    Effect.filterOrFail(
      (removed) => removed || !doubtful,
      () => "not there yet" as const
    ),
    Effect.retry(
      Schedule.spaced(laterEvery).pipe(Schedule.intersect(doubtful ? Schedule.recurs(doubtfulTries) : Schedule.forever))
    ),
    Effect.delay(laterEvery),
    Effect.ignore,
    Effect.interruptible,
    Effect.forkIn(scope),
    Effect.asVoid
  )

/** For a finalizer: never fails, never takes long. */
export const removeSoon = (engine: Engine, name: string, scope: Scope.Scope): Effect.Effect<void> =>
  remove(engine, name).pipe(
    Effect.interruptible,
    Effect.timeout(waitingTime),
    Effect.catchAll((error) =>
      Effect.zipRight(
        Effect.logWarning(`The container ${name} could not be removed yet: ${error.message}`),
        removeLater(engine, name, scope, false)
      )
    ),
    Effect.asVoid
  )
