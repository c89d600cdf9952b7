/** A client that comes over TLS and trusts one authority, as a phone does: commands, and both kinds of streams. */
import { once } from "node:events"
import type { IncomingMessage } from "node:http"
import { request } from "node:https"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"
import { createGunzip } from "node:zlib"
import { WebSocket } from "ws"
import type { Json } from "./errand.ts"

export class TlsClient {
  /** Of whoever has signed in. */
  token = ""
  readonly #url: string
  readonly #ca: string

  constructor(url: string, ca: string) {
    this.#url = url
    this.#ca = ca
  }

  async open(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>> = {},
    body?: unknown
  ): Promise<IncomingMessage> {
    const sent = request(`${this.#url}${path}`, {
      method,
      ca: this.#ca,
      headers: {
        ...(this.token === "" ? {} : { authorization: `Bearer ${this.token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers
      }
    })
    sent.end(body === undefined ? undefined : JSON.stringify(body))
    const [response] = (await once(sent, "response")) as [IncomingMessage]
    return response
  }

  async call(method: string, path: string, body?: unknown) {
    const response = await this.open(method, path, {}, body)
    let text = ""
    for await (const chunk of response) text += String(chunk)
    const isJson = response.headers["content-type"]?.includes("json") === true
    return { status: response.statusCode ?? 0, body: (isJson ? JSON.parse(text) : { text }) as Json }
  }

  /** Asks until the task is in one of these states. */
  async until(id: string, ...states: ReadonlyArray<string>): Promise<Json> {
    const deadline = Date.now() + 60_000
    while (true) {
      const { body } = await this.call("GET", `/api/v1/tasks/${id}`).catch(() => ({ body: {} as Json }))
      if (states.includes(body["status"])) return body
      if (Date.now() > deadline) throw new Error(`task ${id} is still ${JSON.stringify(body)}`)
      await sleep(50)
    }
  }

  /** Types of events as they come, as SSE; whoever reads them takes compression as browsers do. */
  async *events(id: string): AsyncGenerator<string> {
    const response = await this.open("GET", `/api/v1/tasks/${id}/events`, {
      accept: "text/event-stream",
      "accept-encoding": "gzip"
    })
    const plain = response.headers["content-encoding"] === "gzip" ? response.pipe(createGunzip()) : response
    try {
      for await (const line of createInterface({ input: plain })) {
        if (line.startsWith("data:")) yield String(JSON.parse(line.slice(5)).event.type)
      }
    } finally {
      response.destroy()
    }
  }

  /** What comes over a socket that has subscribed to a task: types of events, and of previews that. */
  async *frames(id: string): AsyncGenerator<string> {
    const headers = { authorization: `Bearer ${this.token}` }
    const socket = new WebSocket(`${this.#url.replace("https", "wss")}/api/v1/stream`, { ca: this.#ca, headers })
    const got: Array<string> = []
    socket.on("message", (data) => {
      const parsed = JSON.parse(String(data)) as Json | ReadonlyArray<Json>
      for (const frame of Array.isArray(parsed) ? parsed : [parsed]) got.push(frame.event?.type ?? frame.type)
      socket.emit("read")
    })
    await once(socket, "open")
    socket.send(JSON.stringify({ type: "subscribe", stream: `task:${id}`, after: 0 }))
    try {
      while (true) {
        for (const type of got.splice(0)) yield type
        if (got.length === 0) await once(socket, "read", { signal: AbortSignal.timeout(60_000) })
      }
    } finally {
      socket.terminate()
    }
  }
}

/** Reads until this comes, and gives all that came until then. */
export const readUntil = async (types: AsyncGenerator<string>, wanted: string): Promise<ReadonlyArray<string>> => {
  const read: Array<string> = []
  for (;;) {
    const { done, value } = await types.next()
    if (done === true) throw new Error(`it ended before ${wanted}: ${read.join(", ")}`)
    read.push(value)
    if (value === wanted) return read
  }
}
