/**
 * How a command ends.
 *
 * Owns: exit codes, and the endings that a command chooses itself.
 * Does not own: what a person reads about a failure (`explain.ts`).
 */
import { ValidationError } from "@effect/cli"
import { Cause, Exit, Option, Predicate, Schema } from "effect"
import { Signal } from "./Signals.ts"

/** The command was given what it can't work with. */
export class WrongUsage extends Schema.TaggedError<WrongUsage>()("WrongUsage", { problem: Schema.String }) {
  readonly exitCode = 2
  override get message() {
    return this.problem
  }
}

/** The command did its work, and the result is not what was hoped for. Everything has been said. */
export class Unsuccessful extends Schema.TaggedError<Unsuccessful>()("Unsuccessful", {}) {
  override get message() {
    return ""
  }
}

const signalNumbers: Readonly<Record<Signal, number>> = { SIGHUP: 1, SIGINT: 2, SIGPIPE: 13, SIGTERM: 15 }

/** A signal ended the command before its work was done; the exit code is what shells expect then. */
export class Interrupted extends Schema.TaggedError<Interrupted>()("Interrupted", { signal: Signal }) {
  get exitCode() {
    return 128 + signalNumbers[this.signal]
  }
  override get message() {
    return ""
  }
}

const codeOfFailure = (error: unknown): number => {
  if (ValidationError.isValidationError(error)) return 2
  return Predicate.hasProperty(error, "exitCode") && typeof error.exitCode === "number" ? error.exitCode : 1
}

/** 0 done, 1 failed, 2 wrong usage, 128 + n ended by signal n. */
export const exitCodeOf = <A, E>(exit: Exit.Exit<A, E>): number =>
  Exit.isSuccess(exit) ? 0 : Option.match(Cause.failureOption(exit.cause), { onNone: () => 1, onSome: codeOfFailure })
