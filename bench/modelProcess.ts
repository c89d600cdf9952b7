/** The process of the scripted model: the Messages API on loopback, and a watch over the conversations with it. */
import { setTimeout as sleep } from "node:timers/promises"
import { charactersOf } from "../src/layers/scripted/ScriptedAnswer.ts"
import type { RecordedRequest } from "../test/support/messagesApi/Conversations.ts"
import { startMessagesApi } from "../test/support/messagesApi.ts"
import type { ModelNews, ModelOrder } from "./channel.ts"
import { now } from "./clock.ts"
import { type Conversation, conversationIn, type Turn, type Written } from "./conversations.ts"
import { benchmarkScript, toolOf } from "./script.ts"

const stepCounts = process.argv.slice(2).map(Number)

/** The API's clock is the calendar's; a phase is short enough for one difference between the two. */
const calendarAhead = performance.timeOrigin + performance.now() - now()

/** What is known of the conversations of one phase. */
class Phase {
  readonly #order: ModelOrder
  readonly #records = new Map<string, Array<RecordedRequest>>()
  readonly #written = new Map<string, Array<Written>>()
  begun = false

  constructor(order: ModelOrder) {
    this.#order = order
  }

  see(record: RecordedRequest, characters: number) {
    const written = this.#written.get(record.prompt) ?? []
    written.push({ at: now(), characters: (written.at(-1)?.characters ?? 0) + characters })
    this.#written.set(record.prompt, written)
  }

  /** True when this was the last answer of all. */
  end(record: RecordedRequest): boolean {
    const name = conversationIn(record.prompt)
    this.#records.set(name, [...(this.#records.get(name) ?? []), record])
    return this.#order.expect.every((expected) => this.#records.get(expected)?.length === this.#order.steps + 1)
  }

  get report(): ReadonlyArray<Conversation> {
    return this.#order.expect.map((name) => {
      const records = this.#records.get(name) ?? []
      return {
        turns: records.map((record, index) => turnOf(record, toolOf(index + 1, this.#order.steps))),
        // Only the text of a conversation of one answer is timed.
        written: this.#order.steps > 0 ? [] : (this.#written.get(records[0]?.prompt ?? "") ?? [])
      }
    })
  }

  get complete(): boolean {
    return [...this.#records.values()].flat().every(({ endedAt }) => endedAt !== null)
  }
}

const turnOf = (record: RecordedRequest, tool: string | undefined): Turn => {
  const { cacheReadTokens, cacheWriteTokens, inputTokens } = record.usage
  return {
    arrivedAt: record.receivedAt - calendarAhead,
    answeredAt: (record.endedAt ?? Number.NaN) - calendarAhead,
    requestBytes: record.bytes,
    promptTokens: inputTokens + cacheReadTokens + cacheWriteTokens,
    cachedTokens: cacheReadTokens,
    tool
  }
}

const tell = (news: ModelNews) => process.send?.(news)

/** The connection's own end of an answer comes a moment after the last event. */
const reportOn = async (ended: Phase) => {
  while (!ended.complete) await sleep(5)
  tell({ type: "report", conversations: ended.report })
}

let phase: Phase | undefined

const api = await startMessagesApi({
  script: benchmarkScript(stepCounts),
  packets: "events",
  pieceLength: 16,
  keepBodies: false,
  onEvent: (record, event) => {
    if (phase === undefined) return
    if (!phase.begun) tell({ type: "begun" })
    phase.begun = true
    const characters = charactersOf(event)
    if (characters > 0) phase.see(record, characters)
    if (event.type !== "message_stop" || !phase.end(record)) return
    tell({ type: "ended" })
    void reportOn(phase)
    phase = undefined
  }
})

process.on("message", (order: ModelOrder) => {
  phase = new Phase(order)
})
process.on("disconnect", () => process.exit(0))
tell({ type: "listening", url: api.url })
