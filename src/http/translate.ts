/**
 * From failures of services to problems: the one place where a domain error gets its code.
 */
import { Effect } from "effect"
import type { LastOwner, LoginRefused } from "../services/Accounts.ts"
import type { SignInRefused } from "../services/ForgeSignIn.ts"
import type { ForgeUnavailable } from "../services/ForgeTokens.ts"
import type { PairingOver, PairingPending } from "../services/Pairings.ts"
import type { SessionEnded } from "../services/Sessions.ts"
import type { TaskRefused } from "../services/draftTask.ts"
import type { ForgeFailed } from "../services/Forge.ts"
import type { PackRefused } from "../services/GitStore.ts"
import type { IdempotencyConflict } from "../services/Idempotency.ts"
import type { RepositoryUrlRefused } from "../services/RepositoryUrl.ts"
import type { ScheduleNotFound, TooManySchedules } from "../services/Schedules.ts"
import type { TooManySecrets } from "../services/Secrets.ts"
import type { SlotsRefused } from "../services/slots.ts"
import type { NotNow } from "../services/TaskCommands.ts"
import type { IllegalTransition, TaskNotFound } from "../services/TaskRepo.ts"
import type { StorageFull } from "../services/Transaction.ts"
import { Problem } from "./api/Problem.ts"

type Failure =
  | Problem
  | ForgeFailed
  | TaskNotFound
  | IllegalTransition
  | NotNow
  | StorageFull
  | IdempotencyConflict
  | RepositoryUrlRefused
  | ScheduleNotFound
  | SlotsRefused
  | TooManySchedules
  | TooManySecrets
  | TaskRefused
  | PackRefused
  | LoginRefused
  | LastOwner
  | SessionEnded
  | SignInRefused
  | ForgeUnavailable
  | PairingOver
  | PairingPending

/** The answer for what is not there and for what is somebody else's: nobody can tell them apart. */
export const notFound = Problem.of("not_found", "There is nothing here, or it is not yours.")

const ofForge = ({ detail, reason, waitMs }: ForgeFailed): Problem => {
  switch (reason) {
    case "auth":
      return Problem.of("forge_sign_in_needed", detail)
    case "not_found":
    case "refused":
      return Problem.of("pull_request_refused", detail)
    case "rate_limited":
    case "unavailable":
      return Problem.of("forge_unavailable", detail, {
        headers: { "retry-after": String(Math.ceil((waitMs ?? 5_000) / 1000)) }
      })
  }
}

const translate = (failure: Failure): Problem => {
  switch (failure._tag) {
    case "Problem":
      return failure
    case "ForgeFailed":
      return ofForge(failure)
    case "TaskNotFound":
    case "ScheduleNotFound":
      return notFound
    case "IllegalTransition":
    case "NotNow":
      return Problem.of("not_possible_now", failure.message)
    case "StorageFull":
      return Problem.of("storage_full", failure.message)
    case "IdempotencyConflict":
      return Problem.of("idempotency_conflict", failure.message)
    case "RepositoryUrlRefused":
      return Problem.of("repository_url_refused", failure.message, {
        errors: [{ path: "repository.url", message: failure.reason }]
      })
    case "SlotsRefused":
      return Problem.of("invalid_request", failure.message, {
        errors: [{ path: failure.path, message: failure.fault }]
      })
    case "TooManySchedules":
      return Problem.of("schedule_limit_reached", failure.message)
    case "TooManySecrets":
      return Problem.of("secret_limit_reached", failure.message)
    case "TaskRefused":
      return Problem.of(failure.code, failure.detail, { errors: [{ path: failure.path, message: failure.fault }] })
    case "LoginRefused":
      return Problem.of("invalid_request", failure.message, {
        errors: [{ path: "login", message: "can't be a login" }]
      })
    case "LastOwner":
      return Problem.of("not_possible_now", failure.message)
    case "SessionEnded":
      return Problem.of("session_ended", failure.message)
    case "SignInRefused":
      return Problem.of("invalid_grant", `The forge refuses this sign-in: ${failure.code}. Begin again.`)
    case "ForgeUnavailable":
      return Problem.of("unavailable", failure.message)
    case "PairingOver":
      return Problem.of("invalid_grant", failure.message)
    case "PairingPending":
      return Problem.of("authorization_pending", failure.message)
    case "PackRefused":
      return Problem.of("unavailable", "The difference can't be read from the server's repository now.")
  }
}

export const asProblem = <A, R>(effect: Effect.Effect<A, Failure, R>): Effect.Effect<A, Problem, R> =>
  Effect.mapError(effect, translate)
