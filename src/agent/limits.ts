/**
 * How far a run may go: pure arithmetic on turns, time and money.
 */
import { Option } from "effect"
import type { TokenCounts, TurnRequest } from "../services/ClaudeClient.ts"
import type { ContentBlock } from "../services/Message.ts"
import type { Price } from "../services/Pricing.ts"
import type { Task } from "../services/Task.ts"

/** Most tokens asked for in one answer. */
export const maxOutputTokens = 16_384

/** An answer that could not even have this many tokens is not worth its request. */
export const minOutputTokens = 1_024

/** Tokens of context from which on the conversation is summed up; the window of current models is 200,000. */
export const compactionThreshold = 150_000

/** Two bytes a token is on the safe side of every language the models read. */
const bytesPerToken = 2

export const contextTokens = (tokens: TokenCounts): number =>
  tokens.inputTokens + tokens.cacheReadTokens + tokens.cacheWriteTokens + tokens.outputTokens

/** What is known of the size of a request: the tokens of the last answer, and the bytes that came after it. */
export interface RequestSize {
  readonly knownTokens: number
  readonly newBytes: number
}

export const inputBound = (size: RequestSize): number => size.knownTokens + Math.ceil(size.newBytes / bytesPerToken)

export const contentBytes = (content: ReadonlyArray<ContentBlock>): number => Buffer.byteLength(JSON.stringify(content))

export const requestBytes = (request: Pick<TurnRequest, "system" | "tools" | "messages">): number =>
  Buffer.byteLength(JSON.stringify([request.system, request.tools, request.messages]))

/** Of a request that brings `content` after `knownTokens` of conversation; 0 when that is not known. */
export const sizeOf = (
  request: Pick<TurnRequest, "system" | "tools" | "messages">,
  knownTokens: number,
  content: ReadonlyArray<ContentBlock>
): RequestSize =>
  knownTokens === 0
    ? { knownTokens, newBytes: requestBytes(request) }
    : { knownTokens, newBytes: contentBytes(content) }

/** Dollars that a request may cost when its answer has so many tokens. */
export const worstCost = (price: Price, inputTokens: number, outputTokens: number): number =>
  (inputTokens * Math.max(price.input, price.cacheWrite) + outputTokens * price.output) / 1e6

/**
 * The most tokens that an answer may have so that even the worst case stays inside the money that is left.
 * None when that is too little for an answer.
 */
export const affordableTokens = (price: Price, leftUsd: number, inputTokens: number): Option.Option<number> => {
  if (leftUsd >= worstCost(price, inputTokens, maxOutputTokens)) return Option.some(maxOutputTokens)
  if (leftUsd < worstCost(price, inputTokens, minOutputTokens)) return Option.none()
  const tokens = Math.floor(((leftUsd - worstCost(price, inputTokens, 0)) * 1e6) / price.output)
  return Option.some(Math.max(tokens, minOutputTokens))
}

/** Milliseconds of work that the task has left. */
export const remainingMs = (task: Task): number => task.limits.maxDurationSeconds * 1000 - task.workedMs

/** The reason to pause before another turn, if there is one. */
export const reached = (task: Task): Option.Option<string> =>
  task.turns >= task.limits.maxTurns
    ? Option.some("turn_limit_reached")
    : remainingMs(task) <= 0
      ? Option.some("time_limit_reached")
      : Option.none()
