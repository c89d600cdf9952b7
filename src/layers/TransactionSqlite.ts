/**
 * Transactions that share commits: what is asked for in one turn of the event loop is committed together.
 *
 * One fiber does the writing. It takes the transactions of the moment, runs them one after the other, each in a
 * savepoint of its own, and commits once. Nothing else happens between BEGIN and COMMIT, unless a transaction waits for
 * something other than storage.
 *
 * Adapters may let their `SqlError` die inside `run`: a full disk comes out as `StorageFull` all the same.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import { Cause, Context, Effect, Exit, FiberId, Layer, Option } from "effect"
import { StorageFull, Transaction } from "../services/Transaction.ts"
import { isBusy, isFull } from "./sqlite/failures.ts"
import { makeGathering } from "./sqlite/gathering.ts"
import { type FinishedJob, openHere, OpenTransaction, type TransactionJob, withJob } from "./sqlite/TransactionJob.ts"

/** Bounds how long one commit keeps the event loop: at 0.3 ms each, 10 ms. */
const largestBatch = 32

const execute = (connection: Connection, statement: string) => connection.execute(statement, [], undefined)

/** Another process may hold the lock, as a command does: each attempt waits 10 ms in SQLite, and all of them for 10 s. */
const begin = (connection: Connection, attempts = 330): Effect.Effect<void, SqlError> =>
  Effect.catchAll(execute(connection, "BEGIN IMMEDIATE"), (error) =>
    isBusy(error) && attempts > 0
      ? Effect.delay(
          Effect.suspend(() => begin(connection, attempts - 1)),
          "20 millis"
        )
      : error
  )

/** Undoes what a failed part of the transaction wrote; without space there may be no transaction left to go on with. */
const inSavepoint = <A extends { readonly exit: Exit.Exit<unknown, unknown> }, R>(
  connection: Connection,
  part: Effect.Effect<A, never, R>
) =>
  execute(connection, "SAVEPOINT part").pipe(
    Effect.zipRight(part),
    Effect.tap(({ exit }) => {
      if (Exit.isSuccess(exit)) return execute(connection, "RELEASE part")
      if (isFull(exit.cause)) return Effect.void
      return Effect.zipRight(execute(connection, "ROLLBACK TO part"), execute(connection, "RELEASE part"))
    })
  )

/** A transaction inside a transaction is a part of it. */
const join = <A, E, R>(open: typeof OpenTransaction.Service, effect: Effect.Effect<A, E, R>) =>
  Effect.uninterruptibleMask((restore) => {
    const before = open.afterCommit.length
    const part = Effect.map(Effect.exit(restore(effect)), (exit) => ({ exit }))
    return Effect.flatMap(
      Effect.orDie(inSavepoint(open.connection, part)),
      ({ exit }): Effect.Effect<A, E | StorageFull> => {
        if (Exit.isSuccess(exit)) return exit
        open.afterCommit.length = before
        if (!isFull(exit.cause)) return exit
        open.full = true
        return new StorageFull()
      }
    )
  })

/** Runs what still waits, and commits what succeeds of it. */
const commit = (connection: Connection, jobs: ReadonlyArray<TransactionJob>) =>
  Effect.gen(function* () {
    yield* begin(connection)
    const finished: Array<FinishedJob> = []
    for (const job of jobs) {
      if (job.state !== "waiting") continue
      job.state = "begun"
      const work = job.work(connection)
      const end = yield* jobs.length === 1 ? work : inSavepoint(connection, work)
      if (end.full) return yield* new StorageFull()
      finished.push(end)
    }
    yield* execute(connection, finished.some(({ exit }) => Exit.isSuccess(exit)) ? "COMMIT" : "ROLLBACK")
    return finished
  }).pipe(
    Effect.catchTag("SqlError", (error) => (isFull(Cause.fail(error)) ? new StorageFull() : Effect.die(error))),
    Effect.onError(() => Effect.ignore(execute(connection, "ROLLBACK")))
  )

const announceAndSettle = Effect.fnUntraced(function* (finished: ReadonlyArray<FinishedJob>) {
  for (const job of finished) yield* job.announce
  for (const job of finished) yield* job.settle
})

const drop = (job: TransactionJob, cause: Cause.Cause<StorageFull>) =>
  Effect.suspend(() => {
    job.state = "dropped"
    return job.fail(cause)
  })

const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  const gathering = makeGathering<TransactionJob>(largestBatch)

  /** When the storage fails, whatever had begun fails with it; the others have not had their turn yet. */
  const settle = (jobs: ReadonlyArray<TransactionJob>) =>
    Effect.scoped(Effect.flatMap(Effect.orDie(sql.reserve), (connection) => commit(connection, jobs))).pipe(
      Effect.matchCauseEffect({
        onFailure: (cause) => {
          const begun = jobs.filter((job) => job.state === "begun")
          return Effect.forEach(begun.length > 0 ? begun : jobs, (job) => drop(job, cause), { discard: true })
        },
        onSuccess: announceAndSettle
      })
    )

  const writeForEver = Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      while (true) {
        let jobs = yield* restore(gathering.take)
        while (jobs.length > 0) {
          yield* settle(jobs)
          jobs = jobs.filter((job) => job.state === "waiting")
        }
      }
    })
  )
  // Before the fork, so that it runs when the writer has ended.
  yield* Effect.addFinalizer(() =>
    Effect.flatMap(
      gathering.close,
      Effect.forEach((job) => drop(job, Cause.interrupt(FiberId.none)), { discard: true })
    )
  )
  const writer = yield* Effect.forkScoped(Effect.withMaxOpsBeforeYield(writeForEver, Number.MAX_SAFE_INTEGER))

  const submit = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | StorageFull, R> =>
    Effect.uninterruptibleMask((restore) =>
      withJob(effect, (job, result) => {
        if (!gathering.offer(job)) return Effect.interrupt
        // What has not begun never will, what has begun is seen to its end.
        return Effect.onInterrupt(restore(result), () => {
          if (job.state === "begun") return Effect.exit(result)
          job.state = "dropped"
          return Effect.void
        })
      })
    )

  return Transaction.of({
    run: <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.withFiberRuntime<A, E | StorageFull, R>((fiber) => {
        const open = Context.getOption(fiber.currentContext, OpenTransaction)
        if (Option.isSome(open) && open.value.active) return join(open.value, effect)
        return fiber.id() === writer.id()
          ? Effect.dieMessage("What follows a commit must not wait for another transaction: fork it.")
          : submit(effect)
      }),
    afterCommit: (effect) =>
      Effect.flatMap(
        openHere,
        Option.match({
          onSome: (open) => Effect.sync(() => void open.afterCommit.push(effect)),
          onNone: () => effect
        })
      )
  })
})

export const layer: Layer.Layer<Transaction, never, SqlClient> = Layer.scoped(Transaction, make)
