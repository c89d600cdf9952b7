/**
 * What people may do to a task, decided by its state alone.
 *
 * Owns: pure deciders, each from a task to the changes that a command means or the reason why not.
 * Does not own: storing the changes (`TaskRepo.change`), what the agent does (`agent/`).
 */
import { Either, Schema } from "effect"
import { mostHosts } from "./HostName.ts"
import type { CommitId, MessageId } from "./Ids.ts"
import type { PendingMode } from "./Message.ts"
import type { Limits, Task } from "./Task.ts"
import { TaskChange } from "./TaskChange.ts"
import type { Question } from "./TaskRepo.ts"
import { isFinal } from "./TaskStatus.ts"

/** A run that is no longer the task's current one tried to write: another took over, or the task was ended. */
export class RunSuperseded extends Schema.TaggedError<RunSuperseded>()("RunSuperseded", {
  run: Schema.Int
}) {
  override get message() {
    return `Run ${this.run} is over; its late results were not stored.`
  }
}

/** The command makes no sense in this status; nothing was changed. */
export class NotNow extends Schema.TaggedError<NotNow>()("NotNow", { status: Schema.String, remedy: Schema.String }) {
  override get message() {
    return `The task is ${this.status}. ${this.remedy}`
  }
}

export type Decide<E> = (task: Task) => Either.Either<ReadonlyArray<TaskChange>, E>

const nothing = Either.right<ReadonlyArray<TaskChange>>([])

/** Writes of a run, refused when another run has taken over or the task has ended. */
export const byRun =
  (run: number, changes: ReadonlyArray<TaskChange>): Decide<RunSuperseded> =>
  (task) =>
    task.runNumber === run && (task.status === "running" || task.status === "waiting")
      ? Either.right(changes)
      : Either.left(new RunSuperseded({ run }))

/** A final task stays as it is. */
export const cancel: Decide<never> = (task) => (isFinal(task.status) ? nothing : Either.right([TaskChange.Cancelled()]))

/** Starts a failed or cancelled task again, or a paused one without waiting for what paused it; from its last checkpoint. */
export const retry: Decide<NotNow> = (task) => {
  if (task.status === "paused") return Either.right([TaskChange.Queued({ reason: "resume" })])
  return task.status === "failed" || task.status === "cancelled"
    ? Either.right([TaskChange.Queued({ reason: "retry" })])
    : Either.left(
        new NotNow({ status: task.status, remedy: "Only a failed, cancelled or paused task can be started again." })
      )
}

/** Where a task is taken back to: a checkpoint, or where it began. */
export interface RewindTarget {
  readonly commit: CommitId
  /** What had been delivered by then. */
  readonly deliveredCommit: CommitId | null
}

/**
 * Goes on from an earlier point, as if what came after had not happened. Questions that are open are about what is left
 * behind, so they close. `steer` is what the model is told first.
 */
export const rewind =
  (
    target: RewindTarget,
    open: ReadonlyArray<Pick<Question, "id" | "revision" | "default">>,
    steer: ReadonlyArray<TaskChange>
  ): Decide<NotNow> =>
  (task) => {
    if (task.status === "running") {
      return Either.left(new NotNow({ status: task.status, remedy: "Cancel it first, then rewind it." }))
    }
    const { commit: checkpoint, deliveredCommit } = target
    const closed = open.map((question) =>
      TaskChange.QuestionClosed({
        questionId: question.id,
        revision: question.revision + 1,
        outcome: "cancelled",
        answer: question.default
      })
    )
    const rewound = [...closed, TaskChange.Rewound({ checkpoint, deliveredCommit }), ...steer]
    return Either.right(task.status === "queued" ? rewound : [...rewound, TaskChange.Queued({ reason: "rewind" })])
  }

/** The reason of a pause that lasts until there is a credential for the repository's host. */
export const credentialNeeded = "git_credential_needed"

/** The reason of a pause that lasts until the owner has signed in at GitHub, or stored a token for it. */
export const reconnectGitHub = "reconnect_github"

/** There is a new sign-in or credential: what waited for one goes on. */
export const signedIn: Decide<never> = (task) =>
  task.status === "paused" && (task.pausedReason === credentialNeeded || task.pausedReason === reconnectGitHub)
    ? Either.right([TaskChange.Queued({ reason: "resume" })])
    : nothing

/** The reason of a pause that lasts until a secret that the task names is stored again. */
export const secretNeeded = "secret_needed"

/** A secret has been stored: what waited for it goes on, and waits again if it names another one that is missing. */
export const secretStored: Decide<never> = (task) =>
  task.status === "paused" && task.pausedReason === secretNeeded
    ? Either.right([TaskChange.Queued({ reason: "resume" })])
    : nothing

/** Adds a message of the user; on a final task it starts a follow-up. */
export const say =
  (messageId: MessageId, mode: PendingMode, content: string): Decide<never> =>
  (task) => {
    const queued = TaskChange.MessageQueued({ messageId, mode, content })
    return Either.right(isFinal(task.status) ? [queued, TaskChange.Queued({ reason: "follow_up" })] : [queued])
  }

/** The reason of a pause that lasts until there is space again where the data lives. */
export const diskFull = "disk_full"

/** There is space again: what waited for it goes on. */
export const spaceReturned: Decide<never> = (task) =>
  task.status === "paused" && task.pausedReason === diskFull
    ? Either.right([TaskChange.Queued({ reason: "resume" })])
    : nothing

/** Whether higher limits of the task take away what paused it. */
export const lifts = (task: Task, limits: Limits): boolean => {
  switch (task.pausedReason) {
    case "budget_reached":
      return limits.maxCostUsd > task.limits.maxCostUsd && (task.pausedBudget?.limit ?? "task") === "task"
    case "turn_limit_reached":
      return limits.maxTurns > task.limits.maxTurns
    case "time_limit_reached":
      return limits.maxDurationSeconds > task.limits.maxDurationSeconds
    default:
      return false
  }
}

/** The task waits for room in a budget that it shares with others. */
export const isShortOfBudget = (task: Task): boolean =>
  task.status === "paused" && task.pausedBudget !== null && task.pausedBudget.limit !== "task"

/** The budgets have room again: what waited for it goes on. */
export const budgetFreed: Decide<never> = (task) =>
  isShortOfBudget(task) ? Either.right([TaskChange.Queued({ reason: "resume" })]) : nothing

/** Changes what the owner may change; raising a limit that paused the task queues it again. */
export const update =
  (patch: Partial<Pick<Task, "title" | "tags" | "priority">> & { readonly limits?: Partial<Limits> }): Decide<never> =>
  (task) => {
    const { limits, ...rest } = patch
    const newLimits = { ...task.limits, ...limits }
    const updated = TaskChange.Updated({ patch: limits === undefined ? rest : { ...rest, limits: newLimits } })
    const resumes = task.status === "paused" && lifts(task, newLimits)
    return Either.right(resumes ? [updated, TaskChange.Queued({ reason: "resume" })] : [updated])
  }

/** One more host that the task's sandboxes may reach; beside registries that makes the list of an `allowlist`. */
export const allowHost =
  (host: string): Decide<NotNow> =>
  ({ network: { hosts, mode }, status }) => {
    const notNow = (remedy: string) => Either.left(new NotNow({ status, remedy }))
    if (mode === "none") return notNow(`Its network mode is "none", to which no host can be added: start another task.`)
    if (mode === "open") return notNow(`Its network mode is "open": it reaches every public host already.`)
    if (hosts.includes(host)) return nothing
    if (hosts.length >= mostHosts) return notNow(`It has ${mostHosts} hosts already, which is the most.`)
    return Either.right([TaskChange.Updated({ patch: { network: { mode: "allowlist", hosts: [...hosts, host] } } })])
  }
