/**
 * One turn of the model: shown while it is written, repeated while that can help, counted once.
 */
import { Duration, Effect, Metric, Option, Random, Schedule } from "effect"
import { Budgets } from "../services/Budgets.ts"
import {
  ClaudeClient,
  type ClaudeError,
  type PartialResponse,
  type Response,
  type TurnRequest
} from "../services/ClaudeClient.ts"
import { EventBus, taskStream } from "../services/EventBus.ts"
import type { MessageId } from "../services/Ids.ts"
import { maskContent } from "../services/maskChange.ts"
import { costOf, priceOf, Pricing } from "../services/Pricing.ts"
import { TaskChange } from "../services/TaskChange.ts"
import type { RunSuperseded } from "../services/TaskCommands.ts"
import { type Attributes, traced } from "../services/traced.ts"
import { afford } from "./afford.ts"
import type { RequestSize } from "./limits.ts"
import * as Measured from "./modelMetrics.ts"
import { TaskFailed, TaskPaused } from "./outcome.ts"
import { showText } from "./showText.ts"
import type { TaskRun } from "./TaskRun.ts"

/** How long an API that fails is asked again before the task fails. */
const patience = Duration.hours(1)
const longestDelayMs = 60_000
/** An API that names a longer time than this is not waited for in one piece. */
const longestRetryAfterMs = 10 * 60_000

/** Each attempt has its own money: what a broken answer cost is gone. */
export const askModel = Effect.fnUntraced(function* (
  run: TaskRun,
  request: TurnRequest,
  size: RequestSize,
  messageId: MessageId
) {
  const attempt = afford(run, request, size).pipe(
    Effect.flatMap((affordable) =>
      Metric.trackDuration(asSpan(affordable, once(run, affordable, messageId)), Measured.turnSeconds)
    ),
    Effect.tapError((error) => countPartial(run, error))
  )
  return yield* attempt.pipe(
    Effect.catchAll((error) => again(run, attempt, error)),
    Effect.catchTags({
      ClaudeRejected: ({ detail, status, type }) =>
        new TaskFailed({
          code: "model_rejected",
          message: `The model's API refused the request (${status} ${type}): ${detail}`
        }),
      ClaudeRateLimited: ({ detail, spendLimit }) =>
        spendLimit
          ? new TaskPaused({ reason: "model_spend_limit" })
          : new TaskFailed({
              code: "model_rate_limited",
              message: `The model's API kept limiting the rate: ${detail}`
            }),
      ClaudeUnavailable: unavailable,
      ClaudeStreamBroken: unavailable
    })
  )
})

const unavailable = ({ detail }: { readonly detail: string }) =>
  new TaskFailed({
    code: "model_unavailable",
    message: `The model's API did not answer for an hour: ${detail}. Retry the task when it does.`
  })

const once = Effect.fnUntraced(function* (run: TaskRun, request: TurnRequest, messageId: MessageId) {
  const claude = yield* ClaudeClient
  const bus = yield* EventBus
  const stream = taskStream((yield* run.task).id)
  const shown = new Map<number, ReturnType<typeof showText>>()
  const response = yield* claude.turn(request, (event) => {
    if (event._tag !== "TextDelta") return
    const { block, text } = event
    const shows = shown.get(block) ?? showText(bus, run.mask, { stream, item: `${messageId}:${block}` })
    shown.set(block, shows)
    shows.push(text)
  })
  for (const shows of shown.values()) shows.end()
  return run.mask.active ? { ...response, content: maskContent(run.mask, response.content) } : response
})

/** In the words that OpenTelemetry has for it. */
const asSpan = <E, R>(request: TurnRequest, effect: Effect.Effect<Response, E, R>) =>
  traced(
    `chat ${request.model}`,
    {
      kind: "client",
      attributes: {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": request.model,
        "gen_ai.request.max_tokens": request.maxTokens
      }
    },
    (note) => Effect.tap(effect, (response) => Effect.sync(() => note(answered(response))))
  )

const answered = ({ id, model, stopReason, tokens }: Response): Attributes => ({
  "gen_ai.response.id": id,
  "gen_ai.response.model": model,
  "gen_ai.response.finish_reasons": [stopReason],
  // Those from the cache among them, which the API counts apart.
  "gen_ai.usage.input_tokens": tokens.inputTokens + tokens.cacheReadTokens + tokens.cacheWriteTokens,
  "gen_ai.usage.output_tokens": tokens.outputTokens,
  "gen_ai.usage.cache_read.input_tokens": tokens.cacheReadTokens,
  "gen_ai.usage.cache_creation.input_tokens": tokens.cacheWriteTokens
})

/** The schedule is made for those who need it: it costs as much as the rest of a step. */
const again = <A, R>(run: TaskRun, attempt: Effect.Effect<A, Failure, R>, first: Failure) => {
  let failed: Failure | undefined = first
  return Effect.suspend(() => {
    const error = failed
    failed = undefined
    return error === undefined ? attempt : Effect.fail(error)
  }).pipe(Effect.retry(retries(run)))
}

/** What an attempt may fail with, beside what the model's API does. */
type Failure = ClaudeError | TaskPaused | RunSuperseded

/** The tokens that a broken answer had reported cost money too; what was set aside for an answer that never came is free. */
const countPartial = Effect.fnUntraced(function* (run: TaskRun, error: Failure) {
  if (error._tag === "ClaudeStreamBroken" && error.partial !== null) {
    yield* run.record([yield* counted(run, error.partial)])
    return
  }
  const budgets = yield* Budgets
  const { id } = yield* run.task
  yield* budgets.release(id, run.number)
})

/** An answer by a name that has no price costs what the model that was asked for costs. */
export const counted = Effect.fnUntraced(function* (run: TaskRun, { model, responseId, tokens }: PartialResponse) {
  const { table } = yield* Pricing
  const asked = yield* run.task
  const price = Option.orElse(priceOf(table, model), () => priceOf(table, asked.model))
  const costUsd = Option.match(price, { onNone: () => 0, onSome: (known) => costOf(known, tokens) })
  const usage = { ...tokens, costUsd }
  yield* Measured.count(usage)
  return TaskChange.ResponseCounted({ responseId, model, usage })
})

const isRetryable = (error: Failure): error is Exclude<ClaudeError, { readonly _tag: "ClaudeRejected" }> =>
  error._tag === "ClaudeUnavailable" ||
  error._tag === "ClaudeStreamBroken" ||
  (error._tag === "ClaudeRateLimited" && !error.spendLimit)

const retryAfter = (error: ClaudeError): number =>
  error._tag === "ClaudeRateLimited" || error._tag === "ClaudeUnavailable"
    ? Math.min(error.retryAfterMs ?? 0, longestRetryAfterMs)
    : 0

/** Doubles from half a second to a minute, with jitter; waits at least as long as the API asks; tells observers. */
const retries = (run: TaskRun) =>
  Schedule.identity<Failure>().pipe(
    Schedule.intersect(Schedule.count),
    Schedule.intersect(Schedule.elapsed),
    Schedule.whileOutput(([[error], elapsed]) => isRetryable(error) && Duration.lessThan(elapsed, patience)),
    Schedule.modifyDelayEffect(([[error, attempt]]) =>
      isRetryable(error) ? announce(run, error, attempt) : Effect.succeed(Duration.zero)
    )
  )

const announce = Effect.fnUntraced(function* (run: TaskRun, error: ClaudeError, attempt: number) {
  const jitter = yield* Random.nextRange(0.5, 1)
  const backoff = Math.min(longestDelayMs, 500 * 2 ** Math.min(attempt, 10)) * jitter
  const delayMs = Math.round(Math.max(backoff, retryAfter(error)))
  yield* run
    .record([TaskChange.RetryScheduled({ code: codeOf(error), message: error.message, attempt: attempt + 1, delayMs })])
    .pipe(Effect.ignore)
  return Duration.millis(delayMs)
})

const codeOf = (error: ClaudeError): string => {
  switch (error._tag) {
    case "ClaudeRateLimited":
      return "model_rate_limited"
    case "ClaudeUnavailable":
      return error.status === 529 ? "model_overloaded" : "model_unavailable"
    case "ClaudeStreamBroken":
      return `model_stream_${error.reason}`
    case "ClaudeRejected":
      return "model_rejected"
  }
}
