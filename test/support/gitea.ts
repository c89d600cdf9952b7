/** A Gitea over HTTP on loopback: as much of its API as pull requests need, on the state that the GitHub beside it has. */
import { Effect, type Scope } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer, type IncomingMessage } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Json } from "./github/fill.ts"
import { commitAt, GitHubState, type Pull, type Repository } from "./github/state.ts"

export interface Gitea {
  readonly url: string
  readonly host: string
  readonly state: GitHubState
  /** The next request that begins so is answered with this status. */
  readonly fail: (what: string, status: number) => void
}

interface Reply {
  readonly status: number
  readonly body?: Json
}

const message = (status: number, text: string): Reply => ({ status, body: { message: text, url: "/api/swagger" } })

const pullJson = (url: string, repository: Repository, pull: Pull): Json => ({
  number: pull.number,
  html_url: `${url}/${repository.owner}/${repository.name}/pulls/${pull.number}`,
  state: pull.state,
  title: pull.title,
  body: pull.body,
  merged: pull.merged,
  head: { ref: pull.head, sha: pull.headCommit ?? commitAt(repository, `refs/heads/${pull.head}`) ?? "" },
  base: { ref: pull.base }
})

const giteaVerdicts: Readonly<Record<string, string>> = { APPROVED: "APPROVED", CHANGES_REQUESTED: "REQUEST_CHANGES" }

const answer = (
  url: string,
  repository: Repository,
  login: string,
  [method, rest, query, body]: readonly [string, string, URLSearchParams, { readonly [key: string]: Json | undefined }]
): Reply => {
  const numbered = /^pulls\/(\d+)(\/reviews)?$/.exec(rest)
  const pull = repository.pulls.find(({ number }) => String(number) === numbered?.[1])
  if (numbered !== null && pull === undefined) return message(404, "The target couldn't be found.")
  if (method === "GET" && rest === "") return { status: 200, body: { default_branch: "main" } }
  if (method === "GET" && rest === "pulls") {
    const limit = Number(query.get("limit") ?? "30")
    const from = (Number(query.get("page") ?? "1") - 1) * limit
    const pulls = repository.pulls.filter(({ state }) => state === query.get("state")).toReversed()
    return { status: 200, body: pulls.slice(from, from + limit).map((one) => pullJson(url, repository, one)) }
  }
  if (method === "POST" && rest === "pulls") {
    const [head, base] = [String(body["head"]), String(body["base"])]
    if (commitAt(repository, `refs/heads/${head}`) === undefined) return message(404, "The target couldn't be found.")
    if (repository.pulls.some((one) => one.state === "open" && one.head === head && one.base === base)) {
      return message(409, "pull request already exists for these targets")
    }
    const number = repository.pulls.length + 1
    const title = String(body["title"])
    const made: Pull = {
      number,
      author: login,
      head,
      base,
      title,
      body: String(body["body"]),
      draft: title.startsWith("WIP:"),
      state: "open",
      merged: false,
      headCommit: null
    }
    repository.pulls.push(made)
    return { status: 201, body: pullJson(url, repository, made) }
  }
  if (pull !== undefined && numbered?.[2] === "/reviews") {
    const own = repository.reviews.filter((review) => review.pull === pull.number)
    const shown = own.map(({ author, state }) => ({
      state: giteaVerdicts[state] ?? "COMMENT",
      user: { login: author }
    }))
    return { status: 200, body: shown }
  }
  if (pull !== undefined && method === "PATCH") {
    pull.body = String(body["body"])
    return { status: 201, body: pullJson(url, repository, pull) }
  }
  if (pull !== undefined) return { status: 200, body: pullJson(url, repository, pull) }
  const status = /^commits\/([^/]+)\/status$/.exec(rest)
  if (status !== null) {
    const own = repository.statuses.filter(({ sha }) => sha === status[1])
    const failed = own.some(({ state }) => state === "failure")
    const state = own.length === 0 ? "" : failed ? "failure" : (own[0]?.state ?? "")
    return { status: 200, body: { state, total_count: own.length } }
  }
  const permission = /^collaborators\/([^/]+)\/permission$/.exec(rest)
  if (permission !== null) {
    return { status: 200, body: { permission: repository.permissions.get(permission[1] ?? "") ?? "none" } }
  }
  const reaction = /^issues\/comments\/(\d+)\/reactions$/.exec(rest)
  const comment = repository.comments.find(({ id }) => String(id) === reaction?.[1])
  if (comment === undefined) return message(404, "The target couldn't be found.")
  const content = String(body["content"])
  const known = comment.reactions.some((one) => one.login === login && one.content === content)
  if (!known) comment.reactions.push({ login, content })
  return { status: known ? 200 : 201, body: { content } }
}

const read = async (request: IncomingMessage) => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString("utf8")
  return (text === "" ? {} : JSON.parse(text)) as { readonly [key: string]: Json | undefined }
}

/** A running Gitea on a free port of loopback, gone with the scope. */
export const gitea: Effect.Effect<Gitea, never, Scope.Scope> = Effect.gen(function* () {
  const root = mkdtempSync(join(tmpdir(), "errand-gitea-"))
  const state = new GitHubState(root)
  const faults: Array<readonly [string, number]> = []
  let url = ""
  const server = createServer((request, response) => {
    const reply = async (): Promise<Reply> => {
      const { pathname, searchParams } = new URL(request.url ?? "/", url)
      const body = await read(request)
      const [, owner = "", name = "", rest = ""] = /^\/api\/v1\/repos\/([^/]+)\/([^/]+)\/?(.*)$/.exec(pathname) ?? []
      const fault = faults.findIndex(([what]) => `${request.method} ${rest}`.startsWith(what))
      if (fault >= 0) return message(faults.splice(fault, 1)[0]?.[1] ?? 500, "trouble")
      const login = state.tokens.get((request.headers.authorization ?? "").replace(/^token /, ""))?.login
      if (login === undefined) return message(401, "invalid username, password or token")
      const repository = state.visible(`${owner}/${name}`, login)
      if (repository === undefined) return message(404, "The target couldn't be found.")
      return answer(url, repository, login, [request.method ?? "", rest, searchParams, body])
    }
    reply()
      .then(({ body, status }) =>
        response.writeHead(status, { "content-type": "application/json;charset=utf-8" }).end(JSON.stringify(body))
      )
      .catch(() => response.destroy())
  })
  yield* Effect.acquireRelease(
    Effect.async<void>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.void))
    }),
    () =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
        rmSync(root, { recursive: true, force: true })
      })
  )
  const address = server.address()
  url = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
  return { url, host: new URL(url).host, state, fail: (what, status) => void faults.push([what, status]) }
})
