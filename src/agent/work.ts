/**
 * The agent's work: ask the model, do what it asks for, save, and again, until it says that it is done.
 *
 * What a step did to the work tree is saved while the model already thinks about its results. The results become part
 * of the stored conversation together with that checkpoint, so that after a crash the two always agree.
 */
import { Duration, Effect, Fiber, MutableRef, Option, Ref } from "effect"
import type { Response, TurnMessage } from "../services/ClaudeClient.ts"
import { DiskSpace } from "../services/DiskSpace.ts"
import { Ids } from "../services/Ids.ts"
import { type ContentBlock, textOf } from "../services/Message.ts"
import { TaskChange } from "../services/TaskChange.ts"
import { diskFull, type RunSuperseded } from "../services/TaskCommands.ts"
import { TaskRepo } from "../services/TaskRepo.ts"
import { inSpan } from "../services/traced.ts"
import { askModel, counted } from "./askModel.ts"
import { save, saveForSure, type Workplace } from "./checkpoint.ts"
import { saysSomething, text, toRequest } from "./conversation.ts"
import * as Limits from "./limits.ts"
import { TaskFailed, TaskPaused } from "./outcome.ts"
import { nudges, summaryMessage } from "./prompt.ts"
import type { TaskRun } from "./TaskRun.ts"
import { isReadOnly } from "./toolCatalogue.ts"
import { group, started, useTools } from "./useTools.ts"
import { verdictOf } from "./verdict.ts"

/** Where the work stands between two turns. */
export interface Progress {
  /** The stored conversation, as the model sees it. */
  readonly messages: ReadonlyArray<TurnMessage>
  /** What the next message brings to the model: results of tools, or words of Errand's own. */
  readonly outbox: ReadonlyArray<ContentBlock>
  /** Ends of tool calls that are not stored yet: they go with the next save. */
  readonly unsaved: ReadonlyArray<TaskChange>
  /** True when the conversation ends with an answer after which nothing is left to do. */
  readonly ended: boolean
  /** Tokens of the conversation up to the last answer; 0 when not known. */
  readonly knownTokens: number
  /** Answers in a row that were cut, empty or paused. */
  readonly stumbles: number
}

/** Nothing but a conversation. */
export const startingFrom = (messages: ReadonlyArray<TurnMessage>): Progress => ({
  messages,
  outbox: [],
  unsaved: [],
  ended: false,
  knownTokens: 0,
  stumbles: 0
})

const mostStumbles = 3
/** How long a run that ends in the middle of its tools waits for the answer before them to be stored. */
const storeTime = Duration.seconds(2)

/** Works until the model has ended its turn and no message of the user is waiting; gives the whole conversation. */
export const work = Effect.fn("work")(function* (run: TaskRun, place: Workplace, from: Progress) {
  let progress = from
  while (true) {
    const news = yield* takePending(run, progress)
    if (progress.ended && progress.outbox.length === 0 && news.length === 0) {
      yield* saveForSure(run, place)
      return progress.messages
    }
    progress = yield* turn(run, place, progress, news).pipe(inSpan("turn"))
    if (progress.knownTokens > Limits.compactionThreshold) {
      progress = yield* sumUp(run, place, progress).pipe(inSpan("compact"))
    }
  }
})

/** Steering messages are delivered before every call, queued ones when the model has ended its turn. */
const takePending = Effect.fnUntraced(function* (run: TaskRun, progress: Progress) {
  if (!MutableRef.getAndSet(run.mayHavePending, false)) return []
  const repo = yield* TaskRepo
  const { id } = yield* run.task
  const pending = yield* repo.pending(id)
  const turnEnded = progress.ended && progress.outbox.length === 0
  const taken = pending.filter(({ mode }) => turnEnded || mode === "steer")
  if (taken.length < pending.length) MutableRef.set(run.mayHavePending, true)
  return taken
})

type Pending = Effect.Effect.Success<ReturnType<typeof takePending>>

const turn = Effect.fnUntraced(function* (run: TaskRun, place: Workplace, progress: Progress, news: Pending) {
  const ids = yield* Ids
  const content = [...progress.outbox, ...news.map((pending) => text(pending.content))]
  const messages = content.length === 0 ? progress.messages : [...progress.messages, { role: "user" as const, content }]
  const delivers = news.map(({ id }) => id)
  const said =
    content.length === 0
      ? []
      : [TaskChange.MessageAdded({ messageId: yield* ids.message, role: "user", content, delivers, startsOver: false })]

  const request = yield* plan(run, messages).pipe(Effect.tapError(() => save(run, place, progress.unsaved, said)))
  const messageId = yield* ids.message
  const saving = yield* Effect.fork(save(run, place, progress.unsaved, said))
  const response = yield* askModel(run, request, Limits.sizeOf(request, progress.knownTokens, content), messageId).pipe(
    Effect.tapError(() => Fiber.await(saving))
  )
  const spent = Effect.flatMap(counted(run, { ...response, responseId: response.id }), (change) => run.record([change]))
  yield* Fiber.join(saving).pipe(Effect.tapError(() => Effect.ignore(spent)))
  return yield* act(run, place, { ...progress, messages, outbox: [], unsaved: [] }, response, messageId)
})

/** The next request, inside the limits of turns and time; fails with the one that it would break. */
const plan = Effect.fnUntraced(function* (run: TaskRun, messages: ReadonlyArray<TurnMessage>) {
  const task = yield* run.task
  const disk = yield* DiskSpace
  if (yield* disk.low) return yield* new TaskPaused({ reason: diskFull })
  const reached = Limits.reached(task)
  if (Option.isSome(reached)) return yield* new TaskPaused({ reason: reached.value, limits: task.limits })
  return toRequest(task.model, messages, Limits.maxOutputTokens)
})

/** Stores the answer and does what it asks for. */
const act = Effect.fnUntraced(function* (
  run: TaskRun,
  place: Workplace,
  progress: Progress,
  response: Response,
  messageId: Effect.Effect.Success<Ids["Type"]["message"]>
) {
  const verdict = verdictOf(response)
  const groups = verdict._tag === "Tools" ? group(verdict.calls) : []
  const { content } = response
  const kept = saysSomething(content) && verdict._tag !== "Failed"
  const answer = kept
    ? [TaskChange.MessageAdded({ messageId, role: "assistant", content, delivers: [], startsOver: false })]
    : []
  const changes = [
    yield* counted(run, { ...response, responseId: response.id }),
    ...answer,
    yield* run.lap,
    ...started(groups[0])
  ]
  if (verdict._tag !== "Tools") yield* run.record(changes)
  const after: Progress = {
    ...startingFrom(kept ? [...progress.messages, { role: "assistant", content }] : progress.messages),
    knownTokens: Limits.contextTokens(response.tokens)
  }
  switch (verdict._tag) {
    case "Tools": {
      if (verdict.calls.some(({ name }) => !isReadOnly(name))) yield* Ref.set(place.tree, "touched")
      // The tools need not wait for the disk: what they do counts only when it is stored, after this.
      const recording = yield* Effect.fork(run.record(changes))
      const { ends, results } = yield* useTools(behind(run, recording), place.sandbox, groups, verdict.broken).pipe(
        // The answer was given and costs money, also when a lost sandbox ends the run before it is stored.
        Effect.onError(() => Fiber.await(recording).pipe(Effect.interruptible, Effect.timeoutOption(storeTime)))
      )
      yield* Fiber.join(recording)
      return { ...after, outbox: results, unsaved: ends }
    }
    case "Nudge":
      return yield* stumble(progress, { ...after, outbox: [text(verdict.text)] })
    case "Again":
      return yield* stumble(progress, after)
    case "TooLong":
      return yield* sumUp(run, place, after)
    case "Ended":
      return { ...after, ended: true }
    case "Failed":
      return yield* verdict.error
  }
})

/** The same run, with records that come after another one: a question is never stored before the call that asks it. */
const behind = (run: TaskRun, recording: Fiber.Fiber<unknown, RunSuperseded>): TaskRun => ({
  ...run,
  record: (changes) => Effect.zipRight(Fiber.join(recording), run.record(changes))
})

const stumble = (before: Progress, after: Progress): Effect.Effect<Progress, TaskFailed> =>
  before.stumbles < mostStumbles
    ? Effect.succeed({ ...after, stumbles: before.stumbles + 1 })
    : new TaskFailed({
        code: "model_stuck",
        message: "The model's answers were cut or empty several times in a row. Retry the task, or make it smaller."
      })

/** Replaces the conversation by the model's own summary of it, before it outgrows the context. */
const sumUp = Effect.fnUntraced(function* (run: TaskRun, place: Workplace, progress: Progress) {
  const ids = yield* Ids
  const task = yield* run.task
  yield* save(run, place, progress.unsaved, [])
  const asked = { role: "user" as const, content: [...progress.outbox, text(nudges.sumUp)] }
  const request = toRequest(task.model, [...progress.messages, asked], Limits.maxOutputTokens)
  const size = Limits.sizeOf(request, progress.knownTokens, asked.content)
  const response = yield* askModel(run, request, size, yield* ids.message)
  const summary = textOf(response.content)
  if (summary === "") {
    return yield* new TaskFailed({ code: "context_exceeded", message: "The conversation outgrew the model's context." })
  }
  const content = [text(summaryMessage(task, summary))]
  yield* run.record([
    yield* counted(run, { ...response, responseId: response.id }),
    TaskChange.MessageAdded({ messageId: yield* ids.message, role: "user", content, delivers: [], startsOver: true })
  ])
  return startingFrom([{ role: "user", content }])
})
