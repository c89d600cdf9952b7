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
import { Cause, Context, Effect, Exit, FiberRef, Layer, Queue, Schedule } from "effect"
import { StorageFull, Transaction } from "../services/Transaction.ts"
import { isBusy, isFull } from "./sqlite/failures.ts"
import { type FinishedJob, makeJob, OpenTransaction, type TransactionJob } from "./sqlite/TransactionJob.ts"

/** Bounds how long one commit keeps the event loop: at 0.3 ms each, 10 ms. */
const largestBatch = 32

const execute = (connection: Connection, statement: string) => connection.execute(statement, [], undefined)

/** Another process may hold the lock, as a command or a backup does: it is waited for, ten seconds in all. */
const begin = (connection: Connection) =>
  Effect.retry(execute(connection, "BEGIN IMMEDIATE"), {
    while: isBusy,
    schedule: Schedule.spaced("20 millis"),
    times: 36
  })

/** The rest of this turn of the event loop: whoever is about to write joins. */
const nextTurn = Effect.async<void>((resume) => {
  const handle = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(handle))
})

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

/** Runs what still waits and commits what succeeds of it; what fails by itself gets its failure at once. */
const commit = (connection: Connection, jobs: ReadonlyArray<TransactionJob>) =>
  Effect.gen(function* () {
    yield* begin(connection)
    const stored: Array<FinishedJob> = []
    for (const job of jobs) {
      if (job.state !== "waiting") continue
      job.state = "begun"
      const finished = yield* inSavepoint(connection, job.work(connection))
      if (finished.full) return yield* new StorageFull()
      if (Exit.isSuccess(finished.exit)) stored.push(finished)
      else yield* finished.settle
    }
    yield* execute(connection, "COMMIT")
    return stored
  }).pipe(
    Effect.catchTag("SqlError", (error) => (isFull(Cause.fail(error)) ? new StorageFull() : Effect.die(error))),
    Effect.onError(() => Effect.ignore(execute(connection, "ROLLBACK")))
  )

const drop = (job: TransactionJob, cause: Cause.Cause<StorageFull>) =>
  Effect.suspend(() => {
    job.state = "dropped"
    return job.fail(cause)
  })

const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  const queue = yield* Queue.unbounded<TransactionJob>()

  /** When the storage fails, whatever had begun fails with it; the others have not had their turn yet. */
  const settleBatch = (jobs: ReadonlyArray<TransactionJob>) =>
    Effect.scoped(Effect.flatMap(Effect.orDie(sql.reserve), (connection) => commit(connection, jobs))).pipe(
      Effect.matchCauseEffect({
        onFailure: (cause) => {
          const begun = jobs.filter((job) => job.state === "begun")
          return Effect.forEach(begun.length > 0 ? begun : jobs, (job) => drop(job, cause), { discard: true })
        },
        onSuccess: (stored) =>
          Effect.zipRight(
            Effect.forEach(stored, (job) => job.announce, { discard: true }),
            Effect.forEach(stored, (job) => job.settle, { discard: true })
          )
      })
    )

  const nextBatch = Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const first = yield* restore(Queue.take(queue))
      yield* nextTurn
      let jobs: ReadonlyArray<TransactionJob> = [first, ...(yield* Queue.takeUpTo(queue, largestBatch - 1))]
      while (jobs.length > 0) {
        yield* settleBatch(jobs)
        jobs = jobs.filter((job) => job.state === "waiting")
      }
    })
  )
  const writer = yield* Effect.forkScoped(
    nextBatch.pipe(Effect.forever, Effect.withMaxOpsBeforeYield(Number.MAX_SAFE_INTEGER))
  )
  yield* Effect.addFinalizer(() =>
    Queue.takeAll(queue).pipe(
      Effect.flatMap(Effect.forEach((job) => drop(job, Cause.interrupt(writer.id())), { discard: true })),
      Effect.zipRight(Queue.shutdown(queue))
    )
  )

  const submit = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
    const { job, result } = yield* makeJob(effect)
    /** Of a caller who was interrupted: what has not begun never will, what has begun is seen to its end. */
    const leave = Effect.suspend(() => {
      if (job.state === "begun") return Effect.exit(result)
      job.state = "dropped"
      return Effect.void
    })
    return yield* Effect.uninterruptibleMask((restore) =>
      Effect.zipRight(
        Queue.offer(queue, job),
        Effect.onInterrupt(restore(result), () => leave)
      )
    )
  })

  return Transaction.of({
    run: <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.withFiberRuntime<A, E | StorageFull, R>((fiber) => {
        const open = Context.getOption(fiber.getFiberRef(FiberRef.currentContext), OpenTransaction)
        if (open._tag === "Some" && open.value.active) return join(open.value, effect)
        return fiber.id() === writer.id()
          ? Effect.dieMessage("What follows a commit must not wait for another transaction: fork it.")
          : submit(effect)
      }),
    afterCommit: (effect) =>
      Effect.flatMap(Effect.serviceOption(OpenTransaction), (open) =>
        open._tag === "Some" && open.value.active ? Effect.sync(() => void open.value.afterCommit.push(effect)) : effect
      )
  })
})

export const layer: Layer.Layer<Transaction, never, SqlClient> = Layer.scoped(Transaction, make)
