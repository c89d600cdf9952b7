import { describe, expect, it } from "@effect/vitest"
import { FastCheck, Schema } from "effect"
import { type StoredEvent, taskStream } from "../../../src/services/EventBus.ts"
import { TaskId } from "../../../src/services/Ids.ts"
import { eventParts, eventsFrame } from "../../../src/http/stream/Frame.ts"
import { Outbox } from "../../../src/http/stream/Outbox.ts"
import { Subscription } from "../../../src/http/stream/Subscription.ts"

const stream = taskStream(Schema.decodeSync(TaskId)("task_01M7WH3GHXB50V0FM1DHZNPP1J"))

const event = (seq: number, size = 0): StoredEvent => ({
  stream,
  seq,
  at: "2026-11-20T12:00:00.000Z",
  event: { type: "task.paused", reason: "x".repeat(size) }
})

const range = (first: number, last: number, size = 0) =>
  Array.from({ length: Math.max(last - first + 1, 0) }, (_, index) => event(first + index, size))

/** A subscription whose client takes everything, or nothing at all. */
const watched = (after: number, reads = true) => {
  const seen: Array<ReturnType<typeof JSON.parse>> = []
  let unread = 0
  const outbox = new Outbox({
    get bufferedAmount() {
      return unread
    },
    send: (data) => {
      const json: unknown = JSON.parse(data.toString())
      seen.push(...(Array.isArray(json) ? json : [json]))
      if (!reads) unread += data.length
    }
  })
  const subscription = new Subscription(stream, outbox, after)
  const news = (events: ReadonlyArray<StoredEvent>) =>
    subscription.deliver(events[0]?.seq ?? 0, events.at(-1)?.seq ?? 0, eventsFrame(subscription.name, events))
  const replay = (events: ReadonlyArray<StoredEvent>) => {
    for (const { last, frame } of eventParts(subscription.name, events)) subscription.replay(last, frame)
  }
  const seqs = () => seen.filter(({ type }) => type === "event").map(({ seq }) => seq)
  return { news, outbox, replay, seen, seqs, subscription }
}

describe("a subscription", () => {
  it("holds news until the backlog is read", () => {
    const { news, replay, seqs, subscription } = watched(0)
    expect(news(range(4, 5))).toBe("held")
    replay(range(1, 4))
    expect(seqs()).toEqual([1, 2, 3, 4])
    expect(subscription.goLive()).toBe(false)
    replay(range(5, 5))
    expect(subscription.goLive()).toBe(true)
    news(range(6, 6))
    expect(seqs()).toEqual([1, 2, 3, 4, 5, 6])
  })

  it("asks for the log again when it can't hold everything", () => {
    const { news, replay, seqs, subscription } = watched(0)
    for (let seq = 1; seq <= 100; seq++) news([event(seq, 8_000)])
    expect(subscription.goLive()).toBe(false)
    replay(range(1, 100))
    expect(subscription.goLive()).toBe(true)
    news(range(101, 101))
    expect(seqs()).toEqual(range(1, 101).map(({ seq }) => seq))
  })

  it("notices a gap, sends nothing after it, and goes on from the log", () => {
    const { news, replay, seqs, subscription } = watched(0)
    subscription.goLive()
    news(range(1, 2))
    expect(news(range(4, 4))).toBe("gap")
    expect(subscription.live).toBe(false)
    expect(news(range(5, 5))).toBe("held")
    replay(range(3, 4))
    expect(subscription.goLive()).toBe(true)
    expect(seqs()).toEqual([1, 2, 3, 4, 5])
  })

  it("never sends an event twice", () => {
    const { news, seqs, subscription } = watched(3)
    subscription.goLive()
    expect(news(range(2, 3))).toBe("sent")
    news(range(4, 4))
    expect(seqs()).toEqual([4])
  })

  it("is over for a client that does not read, instead of filling the memory", () => {
    const { news, outbox, subscription } = watched(0, false)
    subscription.goLive()
    const results = range(1, 200, 8_000).map((one) => news([one]))
    const over = results.indexOf("over")
    expect(over).toBeGreaterThan(100)
    expect(new Set(results.slice(0, over))).toEqual(new Set(["sent"]))
    expect(outbox.bytes).toBeLessThan(1024 * 1024 + 100_000)
  })

  const interleavings = FastCheck.record({
    after: FastCheck.integer({ min: 0, max: 5 }),
    commits: FastCheck.array(FastCheck.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 20 }),
    reads: FastCheck.array(FastCheck.boolean(), { minLength: 60, maxLength: 60 })
  })

  it.prop("gives every event once, in order, however log and news interleave", [interleavings], ([plan]) => {
    const { news, replay, seqs, subscription } = watched(plan.after)
    const log = range(1, plan.after)
    const commits = [...plan.commits]
    for (const readsNow of plan.reads) {
      const size = commits[0]
      if (readsNow || size === undefined) {
        if (subscription.live) continue
        const page = log.slice(subscription.sent, subscription.sent + 3)
        replay(page)
        if (page.length < 3) subscription.goLive()
      } else {
        commits.shift()
        const events = range(log.length + 1, log.length + size)
        log.push(...events)
        news(events)
      }
    }
    expect(seqs()).toEqual(range(plan.after + 1, log.length).map(({ seq }) => seq))
  })
})
