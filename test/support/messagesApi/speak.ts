/** Writes answers onto the wire, whole or broken in the way that a fault asks for. */
import type { ServerResponse } from "node:http"
import { setImmediate as nextTick, setTimeout as sleep } from "node:timers/promises"
import type { WireEvent } from "../../../src/layers/anthropic/IncomingAnswer.ts"
import { errorTypeOf, refusalOf } from "../../../src/layers/scripted/refusal.ts"
import type { Fault } from "../../../src/layers/scripted/Script.ts"
import {
  answerEvents,
  charactersOf,
  eventsUntil,
  type ScriptedAnswer
} from "../../../src/layers/scripted/ScriptedAnswer.ts"

export interface Manner {
  /** `bytes`: packets that end anywhere, also inside a character; `events`: a packet for each event. */
  readonly packets: "bytes" | "events"
  /** Characters in one delta. */
  readonly pieceLength: number
  /** Breaks the connection after so many bytes of the body. */
  readonly cutAfterBytes?: number
}

/** Hears of every event whose last byte is out, so that the caller knows what the client was told. */
export type Told = (event: WireEvent) => void

/** What is broken before an answer begins. True when it was one of these. */
export const refuse = (response: ServerResponse, requestId: string, fault: Fault): boolean => {
  switch (fault.fault) {
    case "http": {
      const { code, message, retryAfterMs, status, type } = refusalOf(fault)
      if (retryAfterMs !== null) response.setHeader("retry-after", String(retryAfterMs / 1000))
      sendError(response, requestId, status, message ?? "", { type, code })
      return true
    }
    case "bad_gateway":
      response.writeHead(502, { "content-type": "text/html" })
      response.end("<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>")
      return true
    case "reset":
      response.socket?.resetAndDestroy()
      return true
    case "no_answer":
      return true
    default:
      return false
  }
}

export const sendError = (
  response: ServerResponse,
  requestId: string,
  status: number,
  message: string,
  finer?: { readonly type: string | null; readonly code: string | null }
) => {
  const code = finer?.code ?? null
  const details = code === null ? undefined : { error_code: code }
  const error = { type: finer?.type ?? errorTypeOf(status), message, details }
  response.writeHead(status, { "content-type": "application/json" })
  response.end(JSON.stringify({ type: "error", error, request_id: requestId }))
}

/** Streams an answer. Returns when it is over, whatever became of it. */
export const stream = async (
  response: ServerResponse,
  answer: ScriptedAnswer,
  fault: Fault | undefined,
  manner: Manner,
  told: Told
): Promise<void> => {
  const speed = answer.charactersPerSecond
  const length = speed === undefined ? manner.pieceLength : Math.max(1, Math.round(speed / 20))
  const events = fault !== undefined && "after" in fault ? eventsUntil(answer, fault.after ?? 0, length) : undefined
  const broken = events ?? (fault === undefined ? undefined : eventsUntil(answer, 0, length))
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" })
  const packets = new Packets(response, manner, told)
  for (const event of broken ?? answerEvents(answer, length)) {
    if (speed !== undefined && charactersOf(event) > 0) await sleep((charactersOf(event) / speed) * 1000)
    if (!(await packets.write(frame(event.type, event), event))) return
  }
  if (fault === undefined) {
    await packets.flush()
    response.end()
  } else {
    await breakOff(response, packets, fault)
  }
}

const breakOff = async (response: ServerResponse, packets: Packets, fault: Fault) => {
  switch (fault.fault) {
    case "malformed":
      await packets.write('event: content_block_delta\ndata: {"type":"content_block_delta","ind\n\n')
      break
    case "error_event": {
      const error = { type: fault.type ?? "overloaded_error", message: fault.message ?? "Overloaded" }
      await packets.write(frame("error", { type: "error", error, request_id: null }))
      break
    }
    default:
      break
  }
  await packets.flush()
  if (fault.fault === "cut") response.socket?.destroy()
  else if (fault.fault !== "silence") response.end()
}

const frame = (name: string, data: unknown): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`

/** The body in packets; each is a chunk of its own on the wire. */
class Packets {
  readonly #response: ServerResponse
  readonly #manner: Manner
  readonly #told: Told
  readonly #untold: Array<{ readonly end: number; readonly event: WireEvent }> = []
  #given = 0
  #sent = 0
  #waiting = Buffer.alloc(0)

  constructor(response: ServerResponse, manner: Manner, told: Told) {
    this.#response = response
    this.#manner = manner
    this.#told = told
  }

  /** False when the connection is gone. */
  async write(text: string, event?: WireEvent): Promise<boolean> {
    const bytes = Buffer.from(text)
    this.#given += bytes.length
    if (event !== undefined) this.#untold.push({ end: this.#given, event })
    if (this.#manner.packets === "events") return this.#send(bytes)
    this.#waiting = Buffer.concat([this.#waiting, bytes])
    while (this.#waiting.length > longestPacket) {
      const size = 1 + Math.floor(Math.random() * longestPacket)
      if (!(await this.#send(this.#waiting.subarray(0, size)))) return false
      this.#waiting = this.#waiting.subarray(size)
    }
    return !this.#response.destroyed
  }

  async flush() {
    if (this.#waiting.length > 0) await this.#send(this.#waiting)
    this.#waiting = Buffer.alloc(0)
  }

  async #send(bytes: Buffer): Promise<boolean> {
    if (this.#response.destroyed) return false
    const left = (this.#manner.cutAfterBytes ?? Infinity) - this.#sent
    const part = left < bytes.length ? bytes.subarray(0, left) : bytes
    const wet = !this.#response.write(part)
    this.#sent += part.length
    for (let next = this.#untold[0]; next !== undefined && next.end <= this.#sent; next = this.#untold[0]) {
      this.#untold.shift()
      this.#told(next.event)
    }
    await (wet ? Promise.race([drained(this.#response), closed(this.#response)]) : nextTick())
    if (left > bytes.length) return !this.#response.destroyed
    this.#response.socket?.destroy()
    return false
  }
}

const longestPacket = 300

const drained = (response: ServerResponse) =>
  new Promise<void>((resolve) => {
    response.once("drain", resolve)
  })

const closed = (response: ServerResponse) =>
  new Promise<void>((resolve) => {
    response.once("close", resolve)
  })
