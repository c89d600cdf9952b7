/** What answers the requests to the GitHub of the tests: routes, sign-in, git, and planned faults. */
import { randomUUID } from "node:crypto"
import { mkdtempSync } from "node:fs"
import type { IncomingMessage, ServerResponse } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { serveGit, stepOf } from "../gitServer.ts"
import type { Json } from "./fill.ts"
import { answerOf, requestProblems } from "./published.ts"
import { documentation, type Route, routes } from "./routes.ts"
import { GitHubState } from "./state.ts"

/** What happens to a request instead of, or after, its being served. */
export type GitHubFault =
  | { readonly _tag: "Status"; readonly status: number; readonly message?: string }
  /** The hourly limit is used up; it begins anew after so many seconds. */
  | { readonly _tag: "RateLimit"; readonly resetsIn: number }
  /** Too much at once. */
  | { readonly _tag: "SecondaryLimit"; readonly retryAfter: number }
  /** The page for people that stands in for an API that is down. */
  | { readonly _tag: "Page"; readonly status: number }
  /** Served in full, then answered with the page and 502. */
  | { readonly _tag: "LostAnswer" }
  | { readonly _tag: "Slow"; readonly ms: number }
  /** The connection is reset after so many bytes of the answer. */
  | { readonly _tag: "Cut"; readonly afterBytes: number }
  | { readonly _tag: "Silence" }
  /** The repository has another name by now. */
  | { readonly _tag: "Moved"; readonly location: string }

export interface SeenCall {
  readonly method: string
  readonly path: string
  readonly authorization: string | null
  readonly body: Json | undefined
}

/** A page of the site, not of the API: its sign-in, say. */
export interface WebRoute {
  readonly method: string
  readonly path: string
  readonly answer: (request: {
    readonly url: URL
    readonly headers: IncomingMessage["headers"]
    readonly body: string
    readonly state: GitHubState
    readonly web: string
  }) => { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
}

interface Planned {
  readonly what: string
  readonly fault: GitHubFault
}

const page = "<!DOCTYPE html>\n<html><head><title>Unicorn! &middot; GitHub</title></head><body>Sorry.</body></html>\n"
const mostBytes = 10 * 1024 * 1024

const read = async (request: IncomingMessage): Promise<string> => {
  const chunks: Array<Buffer> = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > mostBytes) throw new Error("too large")
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString("utf8")
}

const matching = (method: string, pathname: string) => {
  for (const route of routes) {
    if (route.method !== method) continue
    const names = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name)
    // A ref may have slashes, which clients write as %2F.
    const found = new RegExp(`^${route.path.replaceAll(/\{\w+\}/g, "([^/]+)")}$`).exec(pathname)
    if (found === null) continue
    return {
      route,
      params: Object.fromEntries(names.map((name, at) => [name, decodeURIComponent(found[at + 1] ?? "")]))
    }
  }
  return undefined
}

/** The token of either scheme of the API, or the password of git's. */
const tokenOf = (authorization: string | undefined): string => {
  const [scheme = "", value = ""] = (authorization ?? "").split(" ")
  if (scheme.toLowerCase() !== "basic") return value
  const text = Buffer.from(value, "base64").toString("utf8")
  return text.slice(text.indexOf(":") + 1)
}

const message = (status: number, text: string) => ({
  status,
  body: { message: text, documentation_url: documentation }
})

export class Site {
  readonly root = mkdtempSync(join(tmpdir(), "errand-github-"))
  readonly state = new GitHubState(this.root)
  readonly calls: Array<SeenCall> = []
  readonly faults: Array<Planned> = []
  readonly violations: Array<string> = []
  readonly #web: ReadonlyArray<WebRoute>
  url = ""

  constructor(web: ReadonlyArray<WebRoute>) {
    this.#web = web
  }

  take(what: string): GitHubFault | undefined {
    const place = this.faults.findIndex((planned) => what.startsWith(planned.what))
    return place < 0 ? undefined : this.faults.splice(place, 1)[0]?.fault
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", this.url)
    if (url.pathname.startsWith("/api/v3")) return this.#api(request, response, url)
    const web = this.#web.find(({ method, path }) => method === request.method && path === url.pathname)
    if (web === undefined) return this.#git(request, response, url)
    const body = await read(request)
    const answer = web.answer({ url, headers: request.headers, body, state: this.state, web: this.url })
    response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers }).end(answer.body)
  }

  async #api(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const path = url.pathname.slice("/api/v3".length)
    const method = request.method ?? ""
    const text = await read(request)
    const body = text === "" ? undefined : (JSON.parse(text) as Json)
    this.calls.push({ method, path, authorization: request.headers.authorization ?? null, body })
    const fault = this.take(`${method} ${path}`)
    const answer = () => this.#answer(request, method, path, url.searchParams, body)
    const now = Math.floor(Date.now() / 1000)
    const send = (status: number, value: Json | undefined, headers: Readonly<Record<string, string>> = {}) => {
      const bytes = value === undefined ? "" : JSON.stringify(value)
      response.writeHead(status, {
        "content-type": "application/json; charset=utf-8",
        "x-github-request-id": randomUUID(),
        "x-ratelimit-limit": "5000",
        "x-ratelimit-remaining": "4999",
        "x-ratelimit-reset": String(now + 3600),
        "content-length": String(Buffer.byteLength(bytes)),
        ...headers
      })
      if (fault?._tag !== "Cut") return void response.end(bytes)
      response.write(bytes.slice(0, fault.afterBytes), () => response.destroy())
    }
    switch (fault?._tag) {
      case "Silence":
        return
      case "Moved":
        send(301, { message: "Moved Permanently", documentation_url: documentation }, { location: fault.location })
        return
      case "Page":
        response.writeHead(fault.status, { "content-type": "text/html; charset=utf-8" }).end(page)
        return
      case "Status":
        send(fault.status, { message: fault.message ?? "Server Error", documentation_url: documentation })
        return
      case "RateLimit":
        send(
          403,
          { message: "API rate limit exceeded for user ID 1.", documentation_url: documentation },
          { "x-ratelimit-remaining": "0", "x-ratelimit-reset": String(now + fault.resetsIn) }
        )
        return
      case "SecondaryLimit":
        send(
          403,
          {
            message: "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
            documentation_url: documentation
          },
          { "retry-after": String(fault.retryAfter) }
        )
        return
      case "LostAnswer":
        answer()
        response.writeHead(502, { "content-type": "text/html; charset=utf-8" }).end(page)
        return
      case "Slow":
        await new Promise((resolve) => setTimeout(resolve, fault.ms))
    }
    const { body: value, status } = answer()
    send(status, value)
  }

  #answer(request: IncomingMessage, method: string, path: string, query: URLSearchParams, body: Json | undefined) {
    if (request.headers["user-agent"] === undefined) return message(403, "Request forbidden by administrative rules.")
    const login = this.state.tokens.get(tokenOf(request.headers.authorization))?.login
    if (login === undefined) return message(401, "Bad credentials")
    const found = matching(method, path)
    if (found === undefined) {
      this.violations.push(`${method} ${path}: no such route`)
      return message(404, "Not Found")
    }
    const { params, route } = found
    const wrong = requestProblems(method, route.path, { query, body })
    this.#note(route, "the request", wrong)
    if (wrong.length > 0) return message(422, `Invalid request.\n\n${wrong.join("\n")}`)
    const given = typeof body === "object" && body !== null && !Array.isArray(body) ? body : {}
    const fields = given as { readonly [key: string]: Json | undefined }
    const reply = route.answer({ state: this.state, web: this.url, params, query, body: fields, login })
    // What every operation may answer to whoever may not see it is published for few of them.
    if (reply.status === 403 || reply.status === 404) return { status: reply.status, body: reply.body }
    const answer = answerOf(method, route.path, reply.status, reply.body)
    this.#note(route, `the answer ${reply.status}`, answer.problems)
    return { status: reply.status, body: answer.body }
  }

  #note({ method, path }: Route, what: string, problems: ReadonlyArray<string>): void {
    for (const problem of problems) this.violations.push(`${method} ${path}: ${what} is not as published: ${problem}`)
  }

  async #git(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const [, owner = "", name = ""] = /^\/([^/]+)\/([^/]+?)(?:\.git)?\/(?:info|git-)/.exec(url.pathname) ?? []
    const step = stepOf(url)
    const pushes = step === "push" || url.searchParams.get("service") === "git-receive-pack"
    const login = this.state.tokens.get(tokenOf(request.headers.authorization))?.login
    const fault = this.take(step)
    const refuse = (status: number, text: string, headers: Readonly<Record<string, string>> = {}) =>
      void response.writeHead(status, { "content-type": "text/plain; charset=utf-8", ...headers }).end(text)
    if (fault?._tag === "Status") return refuse(fault.status, "no\n")
    if (fault?._tag === "Page") return refuse(fault.status, page, { "content-type": "text/html" })
    if (login === undefined) {
      return refuse(401, "Bad credentials\n", { "www-authenticate": 'Basic realm="GitHub"' })
    }
    const repository = this.state.visible(`${owner}/${name}`, login)
    if (repository === undefined) return refuse(404, "Repository not found.\n")
    if (pushes && repository.permissions.get(login) === "read") {
      return refuse(403, `Permission to ${owner}/${name}.git denied to ${login}.\n`)
    }
    const inside = new URL(url)
    inside.pathname = inside.pathname.replace(/^\/[^/]+\/[^/]+?(?:\.git)?\//, `/${owner}/${name}.git/`)
    const { body, headers, status } = await serveGit(this.root, request, inside)
    if (fault?._tag === "LostAnswer") return refuse(502, page, { "content-type": "text/html" })
    response.writeHead(status, [...headers, ["content-length", String(body.length)]].flat()).end(body)
  }
}
