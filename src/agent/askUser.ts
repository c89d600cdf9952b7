/**
 * Asking a person, without ever hanging on the answer.
 *
 * A question ends with the first answer, or with its default when its time is up. When nobody answers for a while
 * the run is parked: the sandbox and the slot go back, and the answer starts another run, which finds the question again.
 */
import { DateTime, Duration, Effect, Option, Stream } from "effect"
import { EventBus, taskStream } from "../services/EventBus.ts"
import { type CommitId, Ids, type QuestionId, type TaskId, type ToolCallId } from "../services/Ids.ts"
import { Timestamp } from "../services/Task.ts"
import { TaskChange } from "../services/TaskChange.ts"
import type { Answer, QuestionKind } from "../services/TaskEvent.ts"
import { type Question, TaskRepo } from "../services/TaskRepo.ts"
import { TaskParked } from "./outcome.ts"
import type { TaskRun } from "./TaskRun.ts"

/** How long a question waits for an answer before its default holds. */
export const answerTime = Duration.hours(24)
/** How long a run keeps its sandbox while it waits. */
export const patience = Duration.minutes(2)

export interface Asking {
  /** What waits for the answer: a tool call, or the push of a checkpoint. */
  readonly toolCallId: ToolCallId | null
  readonly commit?: CommitId
  readonly kind: QuestionKind
  readonly title: string
  readonly detail: string
  readonly choices: ReadonlyArray<string>
  readonly default: Answer
}

/** `asked` finds the question when this run or an earlier one has asked it. */
export const askUser = Effect.fn("askUser")(function* <R>(
  run: TaskRun,
  asking: Asking,
  asked: Effect.Effect<Option.Option<Question>, never, R>
) {
  const { id } = yield* run.task
  const known = yield* asked
  const question = Option.isSome(known) ? known.value : yield* open(run, asking)
  const answer = question.answer ?? (yield* waitFor(run, id, question))
  const { status } = yield* run.task
  if (status === "waiting") yield* run.record([TaskChange.Resumed()])
  yield* run.skipLap
  return answer
})

/** The question that a tool call has asked, in this run or an earlier one. */
export const findQuestion = Effect.fnUntraced(function* (task: TaskId, toolCallId: ToolCallId) {
  const repo = yield* TaskRepo
  const { items } = yield* repo.questions({ task }, { limit: 1_000, cursor: Option.none() })
  return Option.fromNullable(items.find((question) => question.toolCallId === toolCallId))
})

/** Its time is up: the default holds. */
export const expired = (question: Pick<Question, "id" | "default">) =>
  TaskChange.QuestionClosed({ questionId: question.id, revision: 2, outcome: "expired", answer: question.default })

type OpenQuestion = Pick<Question, "id" | "default" | "answer" | "expiresAt">

const open = Effect.fnUntraced(function* (run: TaskRun, asking: Asking) {
  const ids = yield* Ids
  const id = yield* ids.question
  const expiresAt = Timestamp.make(DateTime.formatIso(DateTime.addDuration(yield* DateTime.now, answerTime)))
  yield* run.record([
    yield* run.lap,
    TaskChange.QuestionOpened({ questionId: id, ...asking, expiresAt }),
    TaskChange.Waiting({ questionId: id })
  ])
  const question: OpenQuestion = { id, default: asking.default, answer: null, expiresAt }
  return question
})

const waitFor = Effect.fnUntraced(function* (run: TaskRun, task: TaskId, question: OpenQuestion) {
  if ((yield* run.task).status === "running") yield* run.record([TaskChange.Waiting({ questionId: question.id })])
  const now = yield* DateTime.now
  const left = Duration.millis(Math.max(0, Date.parse(question.expiresAt) - now.epochMillis))
  const answered = yield* closing(task, question.id).pipe(Effect.timeoutOption(Duration.min(left, patience)))
  if (Option.isSome(answered)) return answered.value
  if (Duration.greaterThan(left, patience)) return yield* new TaskParked()
  yield* run.record([expired(question)])
  return yield* storedAnswer(task, question)
})

/** Somebody may have answered in the moment of expiry: what is stored counts. */
const storedAnswer = Effect.fnUntraced(function* (task: TaskId, question: OpenQuestion) {
  const repo = yield* TaskRepo
  const { owner } = yield* repo.get(task).pipe(Effect.orDie)
  const stored = yield* repo.question(owner, question.id)
  return Option.getOrElse(
    Option.flatMapNullable(stored, (_) => _.answer),
    () => question.default
  )
})

/** The answer, as soon as the log has it. */
const closing = Effect.fnUntraced(function* (task: TaskId, id: QuestionId) {
  const bus = yield* EventBus
  return yield* bus.follow(taskStream(task), 0).pipe(
    Stream.filterMap(({ event }) =>
      event.type === "question.closed" && event.questionId === id ? Option.some(event.answer) : Option.none()
    ),
    Stream.runHead,
    Effect.flatten,
    Effect.catchTag("NoSuchElementException", () => Effect.never)
  )
})

/** What an answer says, in words for the model. */
export const answerText = (answer: Answer): string =>
  [answer.choice, answer.text].filter((part) => part !== undefined && part !== "").join("\n") ||
  (answer.decision === "allow" ? "Yes." : "No.")

export const defaultAnswer = (choices: ReadonlyArray<string>): Answer => {
  const [first] = choices
  return first === undefined
    ? { decision: "allow", text: "Nobody answered. Decide for yourself, and say what you decided." }
    : { decision: "allow", choice: first }
}
