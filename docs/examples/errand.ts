/** Requests to an Errand server, each of which may be sent again. Types: `npx openapi-typescript $ERRAND_URL/api/v1/openapi.json -o errand-api.ts`. */
import type { components } from "./errand-api.ts"

type Schemas = components["schemas"]
export type NewTask = Schemas["NewTask"]
export type Task = Schemas["Task"]
export type Question = Schemas["Question"]
export type NewAnswer = Schemas["NewAnswer"]
export type NewMessage = Schemas["NewMessage"]
export type TaskEvent = Schemas["TaskEvent"]
export type ServerFrame = Schemas["ServerFrame"]
export type ClientFrame = Schemas["ClientFrame"]

/** What the server refuses, and why: decide by `problem.code`, show `problem.detail`. */
export class Refused extends Error {
  readonly problem: Schemas["Problem"]
  constructor(problem: Schemas["Problem"]) {
    super(problem.detail)
    this.problem = problem
  }
}

/** The session is over: somebody has to sign in again. */
export class SignedOut extends Error {}

/** Gives the token for the next request; `renew`: the last one was refused. */
export type Tokens = (renew?: boolean) => Promise<string>

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** Milliseconds before try number `n`, from 0: half a second that doubles, up to 30 s, with jitter so that clients spread. */
export const backoff = (n: number) => Math.random() * Math.min(30_000, 500 * 2 ** n)

const passing = [408, 429, 500, 502, 503, 504]

export class Errand {
  readonly url: string
  readonly tokens: Tokens
  constructor(url: string, tokens: Tokens) {
    this.url = url
    this.tokens = tokens
  }

  createTask = (task: NewTask, key: string) => this.send<Task>("POST", "tasks", task, key)
  task = (id: string) => this.send<Task>("GET", `tasks/${id}`)
  say = (id: string, message: NewMessage, key: string) =>
    this.send<Schemas["PendingMessage"]>("POST", `tasks/${id}/messages`, message, key)
  cancel = (id: string, key: string) => this.send<Task>("POST", `tasks/${id}/cancel`, {}, key)
  answer = (id: string, answer: NewAnswer, key: string) =>
    this.send<Question>("POST", `questions/${id}/answer`, answer, key)

  /** Every open question, over all pages. */
  async questions(): Promise<ReadonlyArray<Question>> {
    const all: Array<Question> = []
    for (let cursor: string | null = ""; cursor !== null;) {
      const query: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`
      const page: Schemas["QuestionPage"] = await this.send("GET", `questions?status=open${query}`)
      all.push(...page.items)
      cursor = page.nextCursor
    }
    return all
  }

  /** `key` names the wish, not the try: made once, when the user taps, and kept until there is an answer. */
  async send<A>(method: string, path: string, body?: unknown, key?: string): Promise<A> {
    let renewed = false
    for (let n = 0; ; n++) {
      const attempt = async () =>
        await fetch(`${this.url}/api/v1/${path}`, {
          method,
          headers: {
            authorization: `Bearer ${await this.tokens()}`,
            ...(body === undefined ? {} : { "content-type": "application/json" }),
            ...(key === undefined ? {} : { "idempotency-key": key })
          },
          body: body === undefined ? null : JSON.stringify(body),
          signal: AbortSignal.timeout(30_000)
        })
      const response = await attempt().catch((error: unknown) => {
        if (error instanceof SignedOut) throw error
      })
      if (response?.ok === true) return response.status === 204 ? (undefined as A) : await response.json()
      if (response?.status === 401 && !renewed) {
        await this.tokens((renewed = true))
        continue
      }
      if (response !== undefined && !passing.includes(response.status)) throw new Refused(await response.json())
      if (n === 8) throw new Error(`The server does not answer: ${response?.status ?? "no connection"}`)
      const seconds = Number(response?.headers.get("retry-after") ?? 0)
      await sleep(Math.max(seconds * 1000, backoff(n)))
    }
  }
}
