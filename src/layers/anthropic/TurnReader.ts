/**
 * Reads the stream of one answer, in plain JavaScript.
 *
 * A hot path: an Effect for every event of the model costs 100 µs each. So the events of one packet are read in one go,
 * and what they tell is told in batches: the first at once, the next ones at most every 25 ms.
 */
// @effect-diagnostics asyncFunction:off newPromise:off globalDate:off globalTimers:off: the hot path has no Effect in it.
import { Effect } from "effect"
import type { ClaudeError, ClaudeStreamBroken, Response as Answer, TurnEvent } from "../../services/ClaudeClient.ts"
import { brokenOff, fromThrown, noAnswer } from "./failure.ts"
import { type AnswerEvent, IncomingAnswer, MalformedAnswer, type WireEvent } from "./IncomingAnswer.ts"
import { streamOf } from "./nodeFetch.ts"
import { SseParser } from "./SseParser.ts"

const batchMs = 25
/** Bytes of one answer, and characters of one event in it: far beyond what a model writes. */
const longestAnswer = 64 * 1024 * 1024
const longestEvent = 4 * 1024 * 1024
/** A finished answer may end its connection in peace, so that the next request finds it open. */
const lingerMs = 1_000

export class TurnReader {
  readonly #silenceMs: number
  readonly #hear: (event: TurnEvent) => void
  readonly #end: (outcome: Effect.Effect<Answer, ClaudeError>) => void
  readonly #abort = new AbortController()
  readonly #answer = new IncomingAnswer()
  readonly #silence: NodeJS.Timeout
  #linger: NodeJS.Timeout | undefined
  #stage: "asked" | "answering" | "finished" | "over" = "asked"
  #unheard: Array<TurnEvent> = []
  #lastHeardAt = -batchMs
  #later: NodeJS.Timeout | undefined

  /**
   * Sends the request at once. `silenceMs` bounds the wait for the headers, and then for each byte. `end` is called once,
   * unless the reader is closed before.
   */
  constructor(
    send: (signal: AbortSignal) => Promise<Response>,
    silenceMs: number,
    hear: (event: TurnEvent) => void,
    end: (outcome: Effect.Effect<Answer, ClaudeError>) => void
  ) {
    this.#silenceMs = silenceMs
    this.#hear = hear
    this.#end = end
    this.#silence = setTimeout(() => this.#tooSilent(), silenceMs)
    void this.#run(send)
  }

  /** Ends the request within the same tick. */
  close() {
    this.#over()
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
    const body = streamOf(response)
    if (body === undefined || !type.startsWith("text/event-stream")) {
      throw new MalformedAnswer(`it is not an event stream but ${type.slice(0, 100)}`)
    }
    const decoder = new TextDecoder()
    const parser = new SseParser(longestEvent, (name, data) => this.#take(name, data))
    let bytes = 0
    for await (const value of body) {
      bytes += value.length
      const fits = parser.feed(decoder.decode(value, { stream: true }))
      if (!fits || bytes > longestAnswer) throw new MalformedAnswer("it is too long")
      this.#tell()
      this.#silence.refresh()
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
    if (news?._tag === "Finished") this.#finish(news.response)
    else if (news !== undefined) this.#add(news)
  }

  #finish(response: Answer) {
    this.#tellNow()
    this.#stage = "finished"
    clearTimeout(this.#silence)
    this.#linger = setTimeout(() => this.#abort.abort(), lingerMs).unref()
    this.#end(Effect.succeed(response))
  }

  /** Texts of one block that wait together become one. */
  #add(news: TurnEvent) {
    const last = this.#unheard.at(-1)
    if (news._tag === "TextDelta" && last?._tag === "TextDelta" && last.block === news.block) {
      this.#unheard[this.#unheard.length - 1] = { ...last, text: last.text + news.text }
    } else {
      this.#unheard.push(news)
    }
  }

  #tell() {
    if (this.#unheard.length === 0) return
    const wait = this.#lastHeardAt + batchMs - performance.now()
    if (wait <= 0) this.#tellNow()
    else this.#later ??= setTimeout(() => this.#tellNow(), wait)
  }

  #tellNow() {
    clearTimeout(this.#later)
    this.#later = undefined
    this.#lastHeardAt = performance.now()
    const unheard = this.#unheard
    this.#unheard = []
    for (const event of unheard) this.#hear(event)
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
    this.#tellNow()
    this.#over()
    this.#end(Effect.fail(error))
  }

  #over() {
    if (this.#stage !== "finished") this.#abort.abort()
    this.#stage = "over"
    clearTimeout(this.#silence)
    clearTimeout(this.#later)
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

const accept = (answer: IncomingAnswer, event: WireEvent): AnswerEvent | undefined => {
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
