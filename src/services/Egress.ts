/**
 * The way out of a sandbox.
 *
 * Owns: one way for each sandbox, with the policy of its task: what may be reached on it, what was refused, how much went
 * through.
 * Does not own: how a sandbox leads its commands there (`sandbox/`), which policy a task has (`draftTask.ts`,
 * `TaskCommands.ts`).
 */
import { Context, type Effect, Schema, type Scope } from "effect"
import type { TaskId } from "./Ids.ts"
import type { Secret } from "./Secrets.ts"
import type { Network } from "./Task.ts"

/** The way can't be opened on this machine; `detail` has the remedy. */
export class EgressUnavailable extends Schema.TaggedError<EgressUnavailable>()("EgressUnavailable", {
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

export interface EgressSpec {
  readonly taskId: TaskId
  readonly run: number
  readonly network: Network
  /** Their hosts may be reached, and get their values. None when absent. */
  readonly secrets?: ReadonlyArray<Secret>
}

/** What a sandbox holds of the secrets of its task. */
export interface SecretsInside {
  /** Environment variables, each with a placeholder: on the way out the value takes its place. */
  readonly variables: Readonly<Record<string, string>>
  /** Certificate of the authority, in PEM, that the hosts of the secrets are believed by. */
  readonly authority: string
}

/** Something in the sandbox was kept from a host. */
export interface Refusal {
  /** A canonical name where it was one; otherwise what was asked for, printable and cut. */
  readonly host: string
  /** A clause: `the host is not on the list of this task`. */
  readonly reason: string
  /** A sentence: what its owner can do, or why nobody can. */
  readonly remedy: string
}

export interface Way {
  /**
   * Absolute path of a directory on this host that holds the socket `egress.sock` and nothing else. It is mounted whole
   * and read-only: the socket can be connected to, and not be replaced. None where no sandbox needs a socket.
   */
  readonly directory: string | null
  /** Null where the task names no secrets. */
  readonly secrets: SecretsInside | null
  /** What was refused since this was last asked, each host and reason once. */
  readonly refusals: Effect.Effect<ReadonlyArray<Refusal>>
}

export class Egress extends Context.Tag("errand/services/Egress")<
  Egress,
  {
    /** Opens the way of one run; it is closed, with every connection on it, when the scope closes. */
    readonly open: (spec: EgressSpec) => Effect.Effect<Way, EgressUnavailable, Scope.Scope>
    /** One more host for the task from now on, where a sandbox of it is open. What is stored with the task is the caller's. */
    readonly allow: (taskId: TaskId, host: string) => Effect.Effect<void>
  }
>() {}
