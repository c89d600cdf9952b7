/**
 * Reads the stream of one answer, in plain JavaScript.
 *
 * A hot path: an Effect for every event of the model costs 100 µs each. So the events of one packet are read in one go,
 * and what they tell is handed over in batches: the first at once, the next ones at most every 25 ms.
 */
// @effect-diagnostics asyncFunction:off newPromise:off globalDate:off globalTimers:off: the hot path has no Effect in it.
import { Chunk, Effect, Option } from "effect"
import type { ClaudeError, ClaudeStreamBroken, TurnEvent } from "../../services/ClaudeClient.ts"
import { brokenOff, fromThrown, noAnswer } from "./failure.ts"
import { IncomingAnswer, MalformedAnswer, type WireEvent } from "./IncomingAnswer.ts"
import { SseParser } from "./SseParser.ts"

/** Effect's pull of a stream: a batch, or why there is none any more (`None`: the answer is whole). */
export type Batch = Effect.Effect<Chunk.Chunk<TurnEvent>, Option.Option<ClaudeError>>

const batchMs = 25
/** Characters that may wait for a slow listener before reading pauses. */
const highWater = 64 * 1024
/** Bytes of one answer, and characters of one event in it: far beyond what a model writes. */
const longestAnswer = 64 * 1024 * 1024
const longestEvent = 4 * 1024 * 1024
/** A finished answer may end its connection in peace, so that the next request finds it open. */
const lingerMs = 1_000

const wholeAnswer: Batch = Effect.fail(Option.none())

export class TurnReader {
  readonly #silenceMs: number
  readonly #abort = new AbortController()
  readonly #answer = new IncomingAnswer()
  #silence: NodeJS.Timeout
  #linger: NodeJS.Timeout | undefined
  #stage: "asked" | "answering" | "finished" | "over" = "asked"
  #ready: Array<TurnEvent> = []
  #readyCharacters = 0
  #lastBatchAt = 0
  #flush: NodeJS.Timeout | undefined
  #listener: ((batch: Batch) => void) | undefined
  #listenerCaughtUp: (() => void) | undefined
  #end: Batch | undefined

  /** Sends the request at once. `silenceMs` bounds the wait for the headers, and then for each byte. */
  constructor(send: (signal: AbortSignal) => Promise<Response>, silenceMs: number) {
    this.#silenceMs = silenceMs
    this.#silence = setTimeout(() => this.#tooSilent(), silenceMs)
    void this.#run(send)
  }

  /** The next batch. One listener at a time. */
  readonly next: Batch = Effect.async((resume) => {
    this.#listener = resume
    this.#offer()
    return Effect.sync(() => {
      this.#listener = undefined
    })
  })

  /** Ends the request within the same tick, unless the answer is whole. */
  close() {
    clearTimeout(this.#flush)
    this.#listener = undefined
    if (this.#stage !== "finished") this.#over(this.#end ?? wholeAnswer)
  }

  async #run(send: (signal: AbortSignal) => Promise<Response>) {
    try {
      const response = await send(this.#abort.signal)
      await this.#read(response)
    } catch (thrown) {
      // What an abort or a finished answer brings about tells nothing new.
      if (this.#stage === "finished" || this.#stage === "over") return
      if (this.#stage === "asked") this.#fail(fromThrown(thrown, Date.now()))
      else if (thrown instanceof MalformedAnswer) this.#break("malformed", thrown.message)
      else this.#break("cut", "the connection was lost")
    }
  }

  async #read(response: Response) {
    if (this.#stage === "asked") this.#stage = "answering"
    const type = response.headers.get("content-type") ?? "no type"
    if (response.body === null || !type.startsWith("text/event-stream")) {
      throw new MalformedAnswer(`it is not an event stream but ${type.slice(0, 100)}`)
    }
    const reader = response.body.getReader()
    const decoder = new TextDecoder()
    const parser = new SseParser(longestEvent, (name, data) => this.#take(name, data))
    let bytes = 0
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      bytes += value.length
      const fits = parser.feed(decoder.decode(value, { stream: true }))
      if (!fits || bytes > longestAnswer) throw new MalformedAnswer("it is too long")
      this.#offer()
      this.#silence.refresh()
      if (this.#readyCharacters > highWater) await this.#caughtUp()
    }
    clearTimeout(this.#linger)
    if (this.#stage === "answering") this.#break("cut", "it ended too early")
  }

  #take(name: string, data: string) {
    if (this.#stage !== "answering") return
    const event = parse(data)
    if (name === "error" || event?.type === "error") return this.#break("error_event", reasonOf(event))
    if (event === undefined) throw new MalformedAnswer("an event is not JSON")
    const news = accept(this.#answer, event)
    if (news === undefined) return
    this.#add(news)
    if (news._tag !== "Finished") return
    this.#stage = "finished"
    this.#end = wholeAnswer
    clearTimeout(this.#silence)
    this.#linger = setTimeout(() => this.#abort.abort(), lingerMs).unref()
  }

  /** Texts of one block that wait together become one. */
  #add(news: TurnEvent) {
    const last = this.#ready.at(-1)
    if (news._tag === "TextDelta") {
      this.#readyCharacters += news.text.length
      if (last?._tag === "TextDelta" && last.block === news.block) {
        this.#ready[this.#ready.length - 1] = { ...last, text: last.text + news.text }
        return
      }
    }
    this.#ready.push(news)
  }

  #offer() {
    if (this.#listener === undefined) return
    const wait = this.#end === undefined ? this.#lastBatchAt + batchMs - performance.now() : 0
    if (this.#ready.length === 0) {
      if (this.#end !== undefined) this.#hand(this.#end)
    } else if (wait <= 0) {
      clearTimeout(this.#flush)
      this.#flush = undefined
      this.#lastBatchAt = performance.now()
      const batch = Chunk.unsafeFromArray(this.#ready)
      this.#ready = []
      this.#readyCharacters = 0
      this.#hand(Effect.succeed(batch))
      this.#listenerCaughtUp?.()
    } else {
      this.#flush ??= setTimeout(() => {
        this.#flush = undefined
        this.#offer()
      }, wait)
    }
  }

  #hand(batch: Batch) {
    const listener = this.#listener
    this.#listener = undefined
    listener?.(batch)
  }

  /** While the listener is behind, silence is its doing. */
  async #caughtUp() {
    clearTimeout(this.#silence)
    await new Promise<void>((resolve) => {
      this.#listenerCaughtUp = resolve
    })
    if (this.#stage === "answering") this.#silence = setTimeout(() => this.#tooSilent(), this.#silenceMs)
  }

  #tooSilent() {
    const seconds = `nothing came for ${this.#silenceMs / 1000} s`
    if (this.#stage === "asked") this.#fail(noAnswer(seconds))
    else this.#break("silent", seconds)
  }

  #break(reason: ClaudeStreamBroken["reason"], why: string) {
    this.#fail(brokenOff(reason, this.#answer.partial, why))
  }

  #fail(error: ClaudeError) {
    this.#over(Effect.fail(Option.some(error)))
    this.#offer()
  }

  #over(end: Batch) {
    this.#stage = "over"
    this.#end = end
    clearTimeout(this.#silence)
    this.#abort.abort()
    this.#listenerCaughtUp?.()
  }
}

type IncomingEvent = WireEvent | { readonly type: "error"; readonly error?: { readonly [key: string]: unknown } }

const parse = (data: string): IncomingEvent | undefined => {
  try {
    const value: IncomingEvent | null = JSON.parse(data)
    return typeof value === "object" && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

const accept = (answer: IncomingAnswer, event: WireEvent): TurnEvent | undefined => {
  try {
    return answer.accept(event)
  } catch (thrown) {
    if (thrown instanceof MalformedAnswer) throw thrown
    throw new MalformedAnswer(`a ${String(event.type).slice(0, 100)} event lacks what it should hold`)
  }
}

const reasonOf = (event: IncomingEvent | undefined): string => {
  const error = event?.type === "error" ? event.error : undefined
  return String(error?.["message"] ?? error?.["type"] ?? "an error without a reason")
}
