/**
 * Durable home of tasks, their runs, conversations, tool calls, checkpoints, questions and costs.
 *
 * Owns: storing a change together with its events; reading it all back; search.
 * Does not own: which change is right (`TaskCommands.ts`), running tasks (`TaskRunner.ts`), whose turn it is (`TaskQueue.ts`).
 */
import { Context, type Effect, type Either, type Option, Schema } from "effect"
import type { CommitId, QuestionId, ScheduleId, ToolCallId, UserId } from "./Ids.ts"
import { TaskId } from "./Ids.ts"
import type { Message, PendingMessage } from "./Message.ts"
import { type Day, type RepositoryRef, Spend, type Task, type TaskDraft, type Timestamp } from "./Task.ts"
import type { TaskChange } from "./TaskChange.ts"
import type { Answer, QuestionKind } from "./TaskEvent.ts"
import type { TaskStatus } from "./TaskStatus.ts"
import type { StorageFull } from "./Transaction.ts"

export class TaskNotFound extends Schema.TaggedError<TaskNotFound>()("TaskNotFound", { id: TaskId }) {
  override get message() {
    return `There is no task ${this.id}.`
  }
}

/** A change that the task's status does not allow; nothing was stored. */
export class IllegalTransition extends Schema.TaggedError<IllegalTransition>()("IllegalTransition", {
  id: TaskId,
  status: Schema.String,
  change: Schema.String
}) {
  override get message() {
    return `Task ${this.id} is ${this.status}; ${this.change} is not possible now.`
  }
}

export interface Run {
  readonly number: number
  readonly reason: string
  readonly startedAt: Timestamp
  readonly endedAt: Timestamp | null
  /** The status that the run left the task in. */
  readonly outcome: TaskStatus | null
}

/** A tool call as it is stored: `output` is whole up to the sandbox's bound, and null while it runs. */
export interface ToolCall {
  readonly id: ToolCallId
  readonly run: number
  readonly tool: string
  readonly input: unknown
  readonly output: string | null
  readonly bytes: number | null
  readonly isError: boolean | null
  readonly exitCode: number | null
  readonly startedAt: Timestamp
  readonly finishedAt: Timestamp | null
  readonly durationMs: number | null
}

export interface Checkpoint {
  readonly commit: CommitId
  readonly run: number
  readonly files: number
  readonly additions: number
  readonly deletions: number
  /** What had been delivered when it was saved. */
  readonly deliveredCommit: CommitId | null
  /** True when a rewind has left it behind; another rewind may lead back to it. */
  readonly superseded: boolean
  readonly createdAt: Timestamp
}

export interface Question {
  readonly id: QuestionId
  readonly taskId: TaskId
  readonly owner: UserId
  /** The tool call that waits for the answer, if one does. */
  readonly toolCallId: ToolCallId | null
  /** The checkpoint whose push waits for the answer, if one does. */
  readonly commit: CommitId | null
  /** 1 while open, 2 once closed: an answer names the revision it was given to. */
  readonly revision: number
  readonly kind: QuestionKind
  readonly title: string
  readonly detail: string
  readonly choices: ReadonlyArray<string>
  readonly default: Answer
  readonly status: "open" | "answered" | "expired" | "cancelled"
  readonly answer: Answer | null
  readonly expiresAt: Timestamp
  readonly createdAt: Timestamp
  readonly closedAt: Timestamp | null
}

/** `cursor` names the last item of the page before; opaque to clients. */
export interface PageRequest {
  readonly limit: number
  readonly cursor: Option.Option<string>
}

export interface Page<A> {
  readonly items: ReadonlyArray<A>
  readonly nextCursor: string | null
}

export interface TaskFilter {
  readonly owner: UserId
  readonly status?: ReadonlyArray<TaskStatus>
  readonly repository?: RepositoryRef["url"]
  readonly tag?: string
  readonly schedule?: ScheduleId
  /** Words that must all occur in the prompt, the messages or the tool output. Any text is safe. */
  readonly q?: string
}

export interface Changed {
  readonly task: Task
  /** The number of the newest event of the task's stream after the change. */
  readonly seq: number
}

/** Money spent on the days from `from` to `to`, both included. */
export interface SpendFilter {
  readonly owner: UserId
  /** Spellings of one URL, or several repositories; all when left out. */
  readonly repositories?: ReadonlyArray<string>
  readonly from: Day
  readonly to?: Day
}

/** What spend is broken down by. */
export const SpendKey = Schema.Literal("day", "repository", "model", "task").annotations({ identifier: "SpendKey" })
export type SpendKey = typeof SpendKey.Type

/** `key`: the day, the URL of the repository, the name of the model that answered, or the id of the task. */
export const SpendLine = Schema.Struct({ key: Schema.String, ...Spend.fields }).annotations({ identifier: "SpendLine" })
export interface SpendLine extends Schema.Schema.Type<typeof SpendLine> {}

export class TaskRepo extends Context.Tag("errand/services/TaskRepo")<
  TaskRepo,
  {
    readonly create: (draft: TaskDraft) => Effect.Effect<Changed, StorageFull>
    /**
     * Reads the task, asks `decide` for changes, and stores them with their events: all in one transaction, which
     * joins the one that is open here. No changes store nothing. `decide` is pure; its failure stores nothing.
     */
    readonly change: <E>(
      id: TaskId,
      decide: (task: Task) => Either.Either<ReadonlyArray<TaskChange>, E>
    ) => Effect.Effect<Changed, E | TaskNotFound | IllegalTransition | StorageFull>
    readonly get: (id: TaskId) => Effect.Effect<Task, TaskNotFound>
    /** As `get`, for one owner: another's task is not found. */
    readonly getOwned: (owner: UserId, id: TaskId) => Effect.Effect<Task, TaskNotFound>
    /** Newest first. */
    readonly list: (filter: TaskFilter, page: PageRequest) => Effect.Effect<Page<Task>>
    /** Every task in one of these statuses, oldest first: for recovery, not for clients. */
    readonly withStatus: (statuses: ReadonlyArray<TaskStatus>) => Effect.Effect<ReadonlyArray<Task>>
    /** The tasks whose pull request has this URL, oldest first. */
    readonly withPullRequest: (url: string) => Effect.Effect<ReadonlyArray<Task>>
    /** How many tasks of an owner wait in the queue. */
    readonly queuedCount: (owner: UserId) => Effect.Effect<number>
    /** Final tasks that ended before, longest ago first, at most `limit`. */
    readonly endedBefore: (before: Timestamp, limit: number) => Effect.Effect<ReadonlyArray<Task>>
    /** Deletes a final task and everything about it, its stream included. */
    readonly remove: (id: TaskId) => Effect.Effect<void, TaskNotFound | IllegalTransition | StorageFull>

    /**
     * What the model sees of the conversation, oldest first: all messages of the present line of work since the last one
     * that starts over.
     */
    readonly conversation: (id: TaskId) => Effect.Effect<ReadonlyArray<Message>>
    /** The whole conversation, oldest first, also what a rewind left behind. */
    readonly messages: (id: TaskId, page: PageRequest) => Effect.Effect<Page<Message>>
    /** Messages of the user that the model has not seen, oldest first. */
    readonly pending: (id: TaskId) => Effect.Effect<ReadonlyArray<PendingMessage>>
    readonly toolCalls: (id: TaskId, page: PageRequest) => Effect.Effect<Page<ToolCall>>
    readonly toolCall: (id: TaskId, call: ToolCallId) => Effect.Effect<Option.Option<ToolCall>>
    /** Newest first, also what a rewind left behind. */
    readonly checkpoints: (id: TaskId, page: PageRequest) => Effect.Effect<Page<Checkpoint>>
    /** The newest checkpoint that is this commit. */
    readonly checkpoint: (id: TaskId, commit: CommitId) => Effect.Effect<Option.Option<Checkpoint>>
    readonly runs: (id: TaskId) => Effect.Effect<ReadonlyArray<Run>>
    readonly question: (owner: UserId, id: QuestionId) => Effect.Effect<Option.Option<Question>>
    readonly questions: (
      filter: { readonly owner?: UserId; readonly task?: TaskId; readonly status?: Question["status"] },
      page: PageRequest
    ) => Effect.Effect<Page<Question>>
    /** The task told as plain text, from byte `start` on, at most `length` bytes; `size` is that of the whole. */
    readonly log: (
      id: TaskId,
      start: number,
      length: number
    ) => Effect.Effect<{ readonly bytes: Uint8Array; readonly size: number }>
    /** The sum of what was spent; it outlives the tasks that spent it. */
    readonly spent: (filter: SpendFilter) => Effect.Effect<Spend>
    /** The same, broken down: days with the newest first, everything else with the costliest first. */
    readonly spending: (filter: SpendFilter, by: SpendKey, page: PageRequest) => Effect.Effect<Page<SpendLine>>
  }
>() {}
