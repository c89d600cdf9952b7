/**
 * The prompt cache of the API: a prefix of a request that ends at a marker is kept for five minutes, and found again by
 * a later request that has the same bytes up to there and a marker at most 20 blocks further on.
 */
import { createHash } from "node:crypto"
import { estimateTokens } from "../../../src/layers/scripted/ScriptedAnswer.ts"
import type { TokenCounts } from "../../../src/services/ClaudeClient.ts"
import { blocksOf, isMarked, type WireRequest } from "./wireRequest.ts"

const lifetimeMs = 5 * 60 * 1000
const lookBack = 20

/** The end of a block: what comes before is `hash`ed, and as long as `tokens`. */
interface Prefix {
  readonly hash: string
  readonly tokens: number
  readonly marked: boolean
}

export class PromptCache {
  readonly #kept = new Map<string, number>()
  readonly #minimumTokens: number

  constructor(minimumTokens: number) {
    this.#minimumTokens = minimumTokens
  }

  /** Counts the tokens of a request, and keeps its marked prefixes. */
  count(request: WireRequest, now: number): TokenCounts {
    const prefixes = prefixesOf(request)
    const total = prefixes.at(-1)?.tokens ?? 0
    const marks = prefixes.flatMap((prefix, index) =>
      prefix.marked && prefix.tokens >= this.#minimumTokens ? [index] : []
    )
    const read = marks
      .flatMap((mark) => prefixes.slice(Math.max(0, mark - lookBack), mark + 1))
      .filter(({ hash }) => (this.#kept.get(hash) ?? 0) > now)
      .reduce((longest, { tokens }) => Math.max(longest, tokens), 0)
    const last = marks.at(-1)
    const written = last === undefined ? 0 : (prefixes[last]?.tokens ?? 0)
    for (const mark of marks) {
      const hash = prefixes[mark]?.hash
      if (hash !== undefined) this.#kept.set(hash, now + lifetimeMs)
    }
    const cached = Math.max(read, written)
    return {
      inputTokens: total - cached,
      outputTokens: 0,
      cacheReadTokens: read,
      cacheWriteTokens: cached - read
    }
  }
}

const prefixesOf = (request: WireRequest): ReadonlyArray<Prefix> => {
  const system = typeof request.system === "string" ? [{ type: "text", text: request.system }] : (request.system ?? [])
  const parts: ReadonlyArray<readonly [string, object]> = [
    ...(request.tools ?? []).map((tool) => ["tool", tool] as const),
    ...system.map((block) => ["system", block] as const),
    ...request.messages.flatMap(({ content, role }) => blocksOf(content).map((block) => [role, block] as const))
  ]
  let characters = 0
  let hash = request.model
  return parts.map(([place, block], index) => {
    const text = JSON.stringify({ ...block, cache_control: undefined })
    characters += text.length
    hash = createHash("sha256").update(`${hash} ${place} ${text}`).digest("base64")
    const automatic = index === parts.length - 1 && isMarked({ cache_control: request.cache_control })
    return { hash, tokens: estimateTokens(characters), marked: automatic || isMarked(block) }
  })
}
