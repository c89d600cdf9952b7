/** The routes of GitHub's REST API that the tests need, on what it knows. */
import type { Json } from "./fill.ts"
import {
  accountJson,
  commentJson,
  commitAt,
  fullName,
  type GitHubState,
  type Pull,
  pullJson,
  type Repository
} from "./state.ts"

export interface Call {
  readonly state: GitHubState
  /** Where people find this GitHub. */
  readonly web: string
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  readonly body: { readonly [key: string]: Json | undefined }
  readonly login: string
}

/** `body` is laid over the smallest answer that GitHub's own description takes. */
export interface Reply {
  readonly status: number
  readonly body?: Json
}

export interface Route {
  readonly method: "GET" | "POST" | "PATCH"
  /** As published. */
  readonly path: string
  readonly answer: (call: Call) => Reply
}

export const documentation = "https://docs.github.com/rest"
const notFound: Reply = { status: 404, body: { message: "Not Found", documentation_url: documentation, status: "404" } }

const invalid = (resource: string, error: { readonly [key: string]: Json }): Reply => ({
  status: 422,
  body: { message: "Validation Failed", errors: [{ resource, ...error }], documentation_url: documentation }
})

const inRepository =
  (answer: (call: Call, repository: Repository) => Reply) =>
  (call: Call): Reply => {
    const repository = call.state.visible(`${call.params["owner"]}/${call.params["repo"]}`, call.login)
    return repository === undefined ? notFound : answer(call, repository)
  }

const onPull = (answer: (call: Call, repository: Repository, pull: Pull) => Reply) =>
  inRepository((call, repository) => {
    const pull = repository.pulls.find(({ number }) => String(number) === call.params["pull_number"])
    return pull === undefined ? notFound : answer(call, repository, pull)
  })

const mayWrite = (repository: Repository, login: string) =>
  ["admin", "write"].includes(repository.permissions.get(login) ?? "none")

const create = inRepository((call, repository): Reply => {
  const { base, body, draft, head, title } = call.body
  if (!mayWrite(repository, call.login)) {
    return {
      status: 403,
      body: { message: "Resource not accessible by integration", documentation_url: documentation }
    }
  }
  const [, branch = String(head)] = /^[^:]+:(.*)$/.exec(String(head)) ?? []
  const [from, onto] = [branch, String(base)].map((ref) => commitAt(repository, `refs/heads/${ref}`))
  if (from === undefined) return invalid("PullRequest", { field: "head", code: "invalid" })
  if (onto === undefined) return invalid("PullRequest", { field: "base", code: "invalid" })
  if (repository.pulls.some((pull) => pull.state === "open" && pull.head === branch && pull.base === base)) {
    const message = `A pull request already exists for ${repository.owner}:${branch}.`
    return invalid("PullRequest", { code: "custom", message })
  }
  if (from === onto) {
    return invalid("PullRequest", { code: "custom", message: `No commits between ${String(base)} and ${branch}` })
  }
  if (draft === true && !repository.draftsAllowed) {
    return {
      status: 422,
      body: { message: "Draft pull requests are not supported in this repository.", documentation_url: documentation }
    }
  }
  const pull: Pull = {
    number: repository.pulls.length + 1,
    author: call.login,
    head: branch,
    base: String(base),
    draft: draft === true,
    title: String(title),
    body: String(body ?? ""),
    state: "open",
    merged: false,
    headCommit: null
  }
  repository.pulls.push(pull)
  return { status: 201, body: pullJson(call.state, call.web, repository, pull) }
})

const list = inRepository(({ query, state, web }, repository): Reply => {
  const head = query.get("head")
  const wanted = query.get("state") ?? "open"
  const newestFirst = query.get("direction") !== "asc"
  const found = repository.pulls.filter(
    (pull) =>
      (wanted === "all" || pull.state === wanted) &&
      (head === null || head === `${repository.owner}:${pull.head}`) &&
      (query.get("base") ?? pull.base) === pull.base
  )
  const ordered = newestFirst ? found.toReversed() : found
  const most = Number(query.get("per_page") ?? "30")
  return { status: 200, body: ordered.slice(0, most).map((pull) => pullJson(state, web, repository, pull)) }
})

const update = onPull(({ body, login, state, web }, repository, pull): Reply => {
  if (!mayWrite(repository, login)) return { status: 403, body: { message: "Forbidden" } }
  if (body["title"] !== undefined) pull.title = String(body["title"])
  if (body["body"] !== undefined) pull.body = String(body["body"])
  return { status: 200, body: pullJson(state, web, repository, pull) }
})

const reviews = onPull(({ state }, repository, pull) => ({
  status: 200,
  body: repository.reviews
    .filter((review) => review.pull === pull.number)
    .map((review, index) => ({ id: index + 1, state: review.state, user: accountJson(state.account(review.author)) }))
}))

const checkRuns = inRepository(({ params }, repository) => {
  const sha = commitAt(repository, params["ref"] ?? "")
  const runs = repository.checks.filter((check) => check.sha === sha)
  const check_runs = runs.map(({ conclusion, name, status }, index) => ({ id: index + 1, name, status, conclusion }))
  return { status: 200, body: { total_count: runs.length, check_runs } }
})

const worst = (states: ReadonlyArray<string>) =>
  states.some((state) => state === "failure" || state === "error")
    ? "failure"
    : states.length === 0 || states.includes("pending")
      ? "pending"
      : "success"

const combinedStatus = inRepository(({ params }, repository) => {
  const sha = commitAt(repository, params["ref"] ?? "")
  if (sha === undefined) return notFound
  const statuses = repository.statuses.filter((status) => status.sha === sha)
  return {
    status: 200,
    body: {
      sha,
      state: worst(statuses.map(({ state }) => state)),
      total_count: statuses.length,
      statuses: statuses.map(({ context, state }, index) => ({ id: index + 1, context, state }))
    }
  }
})

const comments = inRepository(({ params, state, web }, repository) => ({
  status: 200,
  body: repository.comments
    .filter(({ issue }) => String(issue) === params["issue_number"])
    .map((comment) => commentJson(state, web, repository, comment))
}))

const comment = inRepository(({ body, login, params, state, web }, repository) => {
  const made = {
    id: state.nextId(),
    issue: Number(params["issue_number"]),
    author: login,
    body: String(body["body"]),
    reactions: []
  }
  repository.comments.push(made)
  return { status: 201, body: commentJson(state, web, repository, made) }
})

const react = inRepository(({ body, login, params, state }, repository) => {
  const found = repository.comments.find(({ id }) => String(id) === params["comment_id"])
  if (found === undefined) return notFound
  const content = String(body["content"])
  const known = found.reactions.some((reaction) => reaction.login === login && reaction.content === content)
  if (!known) found.reactions.push({ login, content })
  return { status: known ? 200 : 201, body: { id: found.id, content, user: accountJson(state.account(login)) } }
})

const permission = inRepository(({ params, state }, repository) => {
  const login = params["username"] ?? ""
  const held = repository.permissions.get(login) ?? "none"
  const user = { ...(accountJson(state.account(login)) as object), role_name: held }
  return { status: 200, body: { permission: held, role_name: held, user } }
})

const repository = inRepository(({ state, web }, found) => ({
  status: 200,
  body: {
    name: found.name,
    full_name: fullName(found),
    html_url: `${web}/${fullName(found)}`,
    default_branch: "main",
    owner: accountJson(state.account(found.owner))
  }
}))

export const routes: ReadonlyArray<Route> = [
  {
    method: "GET",
    path: "/user",
    answer: ({ login, state }) => ({ status: 200, body: accountJson(state.account(login)) })
  },
  {
    method: "GET",
    path: "/user/orgs",
    answer: ({ login, state }) => ({
      status: 200,
      body: (state.organizations.get(login) ?? []).map((name) => accountJson(state.account(name)))
    })
  },
  { method: "GET", path: "/repos/{owner}/{repo}", answer: repository },
  { method: "GET", path: "/repos/{owner}/{repo}/pulls", answer: list },
  { method: "POST", path: "/repos/{owner}/{repo}/pulls", answer: create },
  {
    method: "GET",
    path: "/repos/{owner}/{repo}/pulls/{pull_number}",
    answer: onPull(({ state, web }, found, pull) => ({ status: 200, body: pullJson(state, web, found, pull) }))
  },
  { method: "PATCH", path: "/repos/{owner}/{repo}/pulls/{pull_number}", answer: update },
  { method: "GET", path: "/repos/{owner}/{repo}/pulls/{pull_number}/reviews", answer: reviews },
  { method: "GET", path: "/repos/{owner}/{repo}/commits/{ref}/check-runs", answer: checkRuns },
  { method: "GET", path: "/repos/{owner}/{repo}/commits/{ref}/status", answer: combinedStatus },
  { method: "GET", path: "/repos/{owner}/{repo}/issues/{issue_number}/comments", answer: comments },
  { method: "POST", path: "/repos/{owner}/{repo}/issues/{issue_number}/comments", answer: comment },
  { method: "POST", path: "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions", answer: react },
  { method: "GET", path: "/repos/{owner}/{repo}/collaborators/{username}/permission", answer: permission }
]
