/** What SQLite's errors mean to those who wait for an answer. */
import { Cause, Chunk, Predicate } from "effect"

const codeOf = (error: unknown): unknown =>
  Predicate.isTagged(error, "SqlError") && Predicate.hasProperty(error, "cause")
    ? Predicate.hasProperty(error.cause, "code") && error.cause.code
    : undefined

/** Another process holds the lock. */
export const isBusy = (error: unknown): boolean => codeOf(error) === "SQLITE_BUSY"

/**
 * The second one is the disk being full when the shared memory of the log has to grow, the third a quota that is
 * reached: SQLite takes only ENOSPC for a full disk.
 */
const fullCodes: ReadonlyArray<unknown> = ["SQLITE_FULL", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_WRITE"]

/** Whether a lack of space is among the causes, as a failure or as a defect. */
export const isFull = (cause: Cause.Cause<unknown>): boolean =>
  Chunk.some(Chunk.appendAll(Cause.failures(cause), Cause.defects(cause)), (error) => fullCodes.includes(codeOf(error)))
