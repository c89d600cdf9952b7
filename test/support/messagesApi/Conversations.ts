/** What the server does with a request: checks it, plays the script, answers, and writes down what it did. */
import { Either, Option } from "effect"
import { randomBytes } from "node:crypto"
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http"
import { setTimeout as sleep } from "node:timers/promises"
import { IncomingAnswer, type WireEvent } from "../../../src/layers/anthropic/IncomingAnswer.ts"
import { FaultCounter } from "../../../src/layers/scripted/FaultCounter.ts"
import { playScript } from "../../../src/layers/scripted/playScript.ts"
import type { Fault, Script, ScriptSource } from "../../../src/layers/scripted/Script.ts"
import { answerEvents, type ScriptedAnswer, writeAnswer } from "../../../src/layers/scripted/ScriptedAnswer.ts"
import type { TokenCounts } from "../../../src/services/ClaudeClient.ts"
import { offenceOf, turnsOf } from "./conversationRules.ts"
import { fingerprint, toTurnMessages } from "./conversion.ts"
import { PromptCache } from "./PromptCache.ts"
import { type Manner, refuse, sendError, stream } from "./speak.ts"
import { findForged, sign } from "./thinking.ts"
import { decodeRequest, type WireRequest } from "./wireRequest.ts"

export interface MessagesApiOptions {
  readonly script: ScriptSource
  readonly port?: number
  /** The one key that is let in; any key when absent. */
  readonly apiKey?: string
  readonly packets?: Manner["packets"]
  readonly pieceLength?: number
  /** Shorter prefixes are not cached. */
  readonly minimumCacheTokens?: number
  readonly keepBodies?: boolean
  /** What befalls the next request, whatever it asks; nothing when undefined. */
  readonly mishap?: () => Fault | undefined
  /** Sees every event right after it went out. It must return at once. */
  readonly onEvent?: (record: RecordedRequest, event: WireEvent) => void
}

export interface RecordedRequest {
  readonly id: string
  /** Milliseconds since 1970, with fractions: when the whole request was there. */
  readonly receivedAt: number
  readonly headers: IncomingHttpHeaders
  /** As sent; empty when bodies are not kept. */
  readonly body: string
  readonly bytes: number
  /** The first text of the conversation, by which tasks are told apart. */
  prompt: string
  /** `abandoned`: the client went away. */
  outcome: "pending" | "answered" | "refused" | "broken" | "abandoned"
  status: number | null
  answerId: string | null
  /** What the client was told that it costs; zero as long as it was told nothing. */
  usage: TokenCounts
  endedAt: number | null
}

const noTokens: TokenCounts = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 }
const longestBody = 32 * 1024 * 1024
const mostRecords = 10_000

const clock = () => performance.timeOrigin + performance.now()

export class Conversations {
  readonly requests: Array<RecordedRequest> = []
  cutAfterBytes: number | undefined
  readonly #script: Script
  readonly #options: MessagesApiOptions
  readonly #cache: PromptCache
  readonly #faults = new FaultCounter()
  readonly #paused = new Set<string>()

  constructor(script: Script, options: MessagesApiOptions) {
    this.#script = script
    this.#options = options
    this.#cache = new PromptCache(options.minimumCacheTokens ?? 1_024)
  }

  async serve(request: IncomingMessage, response: ServerResponse) {
    const id = `req_${randomBytes(12).toString("hex")}`
    response.setHeader("request-id", id)
    response.on("error", () => response.destroy())
    const { pathname } = new URL(request.url ?? "/", "http://loopback")
    const body = await bodyOf(request)
    if (pathname === "/control/requests") return this.#control(request, response)
    if (pathname !== "/v1/messages") return sendError(response, id, 404, "Not found")
    if (request.method !== "POST") return sendError(response, id, 405, "Method Not Allowed")
    const record = this.#record(id, request.headers, body)
    response.once("close", () => {
      record.endedAt = clock()
      if (record.outcome === "pending") record.outcome = "abandoned"
    })
    const offence = this.#headerOffence(request.headers)
    if (offence !== undefined) return refuseWith(record, response, offence.status, offence.message)
    if (body === undefined) {
      return refuseWith(record, response, 413, "Request exceeds the maximum size")
    }
    await this.#answer(record, response, body)
  }

  #record(id: string, headers: IncomingHttpHeaders, body: string | undefined): RecordedRequest {
    const record: RecordedRequest = {
      id,
      receivedAt: clock(),
      headers,
      body: this.#options.keepBodies === false ? "" : (body ?? ""),
      bytes: Buffer.byteLength(body ?? ""),
      prompt: "",
      outcome: "pending",
      status: null,
      answerId: null,
      usage: noTokens,
      endedAt: null
    }
    this.requests.push(record)
    if (this.requests.length > mostRecords) this.requests.shift()
    return record
  }

  #headerOffence(headers: IncomingHttpHeaders) {
    const key = headers.authorization?.replace(/^Bearer /, "") ?? headers["x-api-key"]
    const known = this.#options.apiKey
    if (key === undefined || key === "" || (known !== undefined && key !== known)) {
      return { status: 401, message: "invalid x-api-key" }
    }
    const version = headers["anthropic-version"]
    if (version === undefined) return { status: 400, message: "anthropic-version: header is required" }
    if (!/^\d{4}-\d{2}-\d{2}$/.test(String(version))) {
      return { status: 400, message: `anthropic-version: "${String(version)}" is not a valid version` }
    }
    return undefined
  }

  async #answer(record: RecordedRequest, response: ServerResponse, body: string) {
    const checked = this.#check(body)
    if (Either.isLeft(checked)) return refuseWith(record, response, 400, checked.left)
    const request = checked.right
    const messages = toTurnMessages(request)
    record.prompt = messages[0]?.content.map((block) => (block.type === "text" ? block.text : "")).join("") ?? ""
    const play = playScript(this.#script, messages)
    if (Option.isNone(play)) return refuseWith(record, response, 400, "no scenario of the script matches this prompt")
    const answer = writeAnswer(play.value, {
      model: request.model,
      maxTokens: request.max_tokens,
      tokens: this.#cache.count(request, clock()),
      unique: randomBytes(9).toString("hex"),
      sign: (thinking) => sign(turnsOf(request), thinking)
    })
    const fault = this.#options.mishap?.() ?? this.#faults.next(messages, answer.faults)
    if (answer.delayMs > 0) await sleep(answer.delayMs)
    if (fault !== undefined && refuse(response, record.id, fault)) {
      if (fault.fault !== "no_answer") record.outcome = "refused"
      record.status = response.statusCode
      return
    }
    record.status = 200
    record.answerId = answer.id
    if (answer.stopReason === "pause_turn") this.#paused.add(fingerprint(answer.blocks))
    if (request.stream !== true) return sendWhole(record, response, answer)
    const cutAfterBytes = this.cutAfterBytes
    this.cutAfterBytes = undefined
    await stream(
      response,
      answer,
      fault,
      {
        packets: this.#options.packets ?? "bytes",
        pieceLength: this.#options.pieceLength ?? 12,
        ...(cutAfterBytes !== undefined && { cutAfterBytes })
      },
      (event) => this.#told(record, event)
    )
    const brokenHere = cutAfterBytes !== undefined || (fault !== undefined && fault.fault !== "silence")
    if (record.outcome === "pending" && brokenHere) record.outcome = "broken"
  }

  #check(body: string): Either.Either<WireRequest, string> {
    return Either.gen(this, function* () {
      const value = yield* Either.try({
        try: (): unknown => (/\\ud/i.test(body) ? JSON.parse(body, refuseHalfCharacters) : JSON.parse(body)),
        catch: (error) => `The request body is not valid JSON: ${String(error)}`
      })
      const request = yield* decodeRequest(value)
      const turns = turnsOf(request)
      const last = request.messages.at(-1)
      const prefilled = last?.role === "assistant" && !this.#paused.has(fingerprint(last.content))
      const offence =
        offenceOf(request, turns) ??
        findForged(turns) ??
        (prefilled
          ? "This model does not support assistant message prefill. The conversation must end with a user message."
          : undefined)
      return offence === undefined ? request : yield* Either.left(offence)
    })
  }

  #told(record: RecordedRequest, event: WireEvent) {
    if (event.type === "message_start") record.usage = usageOf(event.message.usage)
    if (event.type === "message_delta") record.usage = usageOf(event.usage)
    if (event.type === "message_stop") record.outcome = "answered"
    this.#options.onEvent?.(record, event)
  }

  /** For who runs this as another process: the records without bodies; `DELETE` forgets them. */
  #control(request: IncomingMessage, response: ServerResponse) {
    if (request.method === "DELETE") this.requests.length = 0
    response.setHeader("content-type", "application/json")
    response.end(JSON.stringify(this.requests.map((record) => ({ ...record, headers: undefined, body: undefined }))))
  }
}

const refuseWith = (record: RecordedRequest, response: ServerResponse, status: number, message: string) => {
  record.outcome = "refused"
  record.status = status
  sendError(response, record.id, status, message)
}

const sendWhole = (record: RecordedRequest, response: ServerResponse, answer: ScriptedAnswer) => {
  const incoming = new IncomingAnswer()
  const content = answerEvents(answer, Infinity).flatMap((event) => {
    const news = incoming.accept(event)
    return news?._tag === "Finished" ? news.response.content : []
  })
  record.outcome = "answered"
  record.usage = answer.tokens
  response.setHeader("content-type", "application/json")
  const { id, model, stopReason, tokens } = answer
  const usage = {
    input_tokens: tokens.inputTokens,
    output_tokens: tokens.outputTokens,
    cache_read_input_tokens: tokens.cacheReadTokens,
    cache_creation_input_tokens: tokens.cacheWriteTokens
  }
  response.end(
    JSON.stringify({ id, type: "message", role: "assistant", model, content, stop_reason: stopReason, usage })
  )
}

const usageOf = (usage: {
  readonly input_tokens: number | null
  readonly output_tokens: number
  readonly cache_read_input_tokens: number | null
  readonly cache_creation_input_tokens: number | null
}): TokenCounts => ({
  inputTokens: usage.input_tokens ?? 0,
  outputTokens: usage.output_tokens,
  cacheReadTokens: usage.cache_read_input_tokens ?? 0,
  cacheWriteTokens: usage.cache_creation_input_tokens ?? 0
})

const refuseHalfCharacters = (_key: string, value: unknown): unknown => {
  if (typeof value === "string" && /\p{Surrogate}/u.test(value)) throw new SyntaxError("no low surrogate in string")
  return value
}

/** Undefined when it is too long. */
const bodyOf = async (request: IncomingMessage): Promise<string | undefined> => {
  const parts: Array<Buffer> = []
  let bytes = 0
  for await (const part of request) {
    bytes += part.length
    if (bytes <= longestBody) parts.push(part)
  }
  return bytes <= longestBody ? Buffer.concat(parts).toString() : undefined
}
