/** What a GitHub knows: accounts, tokens, and repositories with their pull requests, comments and checks. */
import { execFileSync } from "node:child_process"
import { join } from "node:path"
import type { Json } from "./fill.ts"

export interface Account {
  readonly login: string
  readonly id: number
}

export interface Token {
  readonly token: string
  readonly login: string
}

export type Permission = "admin" | "write" | "read" | "none"

export interface Pull {
  readonly number: number
  readonly author: string
  readonly head: string
  readonly base: string
  readonly draft: boolean
  title: string
  body: string
  state: "open" | "closed"
  merged: boolean
  /** Where its branch stood when it was merged; null: where it stands. */
  headCommit: string | null
}

export interface Comment {
  readonly id: number
  readonly issue: number
  readonly author: string
  readonly body: string
  readonly reactions: Array<{ readonly login: string; readonly content: string }>
}

export interface Check {
  readonly sha: string
  readonly name: string
  readonly status: "queued" | "in_progress" | "completed"
  readonly conclusion: "success" | "failure" | "neutral" | "cancelled" | "timed_out" | "skipped" | null
}

export interface Review {
  readonly pull: number
  readonly author: string
  readonly state: "APPROVED" | "CHANGES_REQUESTED" | "COMMENTED" | "DISMISSED"
}

export interface Repository {
  readonly owner: string
  readonly name: string
  readonly path: string
  /** Who may do what; nobody else sees that it exists. */
  readonly permissions: Map<string, Permission>
  readonly pulls: Array<Pull>
  readonly comments: Array<Comment>
  readonly checks: Array<Check>
  readonly statuses: Array<{ readonly sha: string; readonly context: string; readonly state: string }>
  readonly reviews: Array<Review>
  draftsAllowed: boolean
}

export class GitHubState {
  readonly accounts = new Map<string, Account>()
  readonly tokens = new Map<string, Token>()
  /** The organizations that an account belongs to. */
  readonly organizations = new Map<string, ReadonlyArray<string>>()
  readonly repositories = new Map<string, Repository>()
  readonly #root: string
  #ids = 1000

  constructor(root: string) {
    this.#root = root
  }

  nextId(): number {
    return ++this.#ids
  }

  account(login: string): Account {
    const known = this.accounts.get(login)
    if (known !== undefined) return known
    const made = { login, id: this.nextId() }
    this.accounts.set(login, made)
    return made
  }

  /** A token that lets its bearer act as `login`, until it is revoked. */
  addToken(login: string, token = `gho_${login}${this.nextId()}`): string {
    this.account(login)
    this.tokens.set(token, { token, login })
    return token
  }

  revoke(token: string): void {
    this.tokens.delete(token)
  }

  addRepository(fullName: string, permissions: Readonly<Record<string, Permission>>): Repository {
    const [owner = "", name = ""] = fullName.split("/")
    for (const login of [owner, ...Object.keys(permissions)]) this.account(login)
    const made: Repository = {
      owner,
      name,
      path: join(this.#root, owner, `${name}.git`),
      permissions: new Map(Object.entries(permissions)),
      pulls: [],
      comments: [],
      checks: [],
      statuses: [],
      reviews: [],
      draftsAllowed: true
    }
    this.repositories.set(fullName.toLowerCase(), made)
    return made
  }

  /** None for whoever may not even see it. */
  visible(fullName: string, login: string): Repository | undefined {
    const found = this.repositories.get(fullName.toLowerCase())
    return found !== undefined && (found.permissions.get(login) ?? "none") !== "none" ? found : undefined
  }
}

/** What a branch or commit of a repository points to; undefined when there is none. */
export const commitAt = ({ path }: Repository, ref: string): string | undefined => {
  try {
    return execFileSync("git", ["--git-dir", path, "rev-parse", "--verify", "--quiet", `${ref}^{commit}`], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"]
    }).trim()
  } catch {
    return undefined
  }
}

export const fullName = ({ name, owner }: Repository): string => `${owner}/${name}`

export const accountJson = ({ id, login }: Account): Json => ({ login, id, type: "User", site_admin: false })

const repositoryJson = (state: GitHubState, web: string, repository: Repository): Json => ({
  id: 1,
  name: repository.name,
  full_name: fullName(repository),
  owner: accountJson(state.account(repository.owner)),
  private: true,
  html_url: `${web}/${fullName(repository)}`,
  clone_url: `${web}/${fullName(repository)}.git`,
  default_branch: "main"
})

export const pullJson = (state: GitHubState, web: string, repository: Repository, pull: Pull): Json => {
  const end = (ref: string, kept: string | null = null): Json => ({
    ref,
    label: `${repository.owner}:${ref}`,
    sha: kept ?? commitAt(repository, `refs/heads/${ref}`) ?? "0".repeat(40),
    user: accountJson(state.account(repository.owner)),
    repo: repositoryJson(state, web, repository)
  })
  return {
    number: pull.number,
    html_url: `${web}/${fullName(repository)}/pull/${pull.number}`,
    title: pull.title,
    body: pull.body,
    state: pull.state,
    draft: pull.draft,
    locked: false,
    merged_at: pull.merged ? "2026-01-02T00:00:00Z" : null,
    user: accountJson(state.account(pull.author)),
    head: end(pull.head, pull.headCommit),
    base: end(pull.base)
  }
}

export const commentJson = (state: GitHubState, web: string, repository: Repository, comment: Comment): Json => ({
  id: comment.id,
  body: comment.body,
  html_url: `${web}/${fullName(repository)}/issues/${comment.issue}#issuecomment-${comment.id}`,
  issue_url: `${web}/api/v3/repos/${fullName(repository)}/issues/${comment.issue}`,
  author_association: "MEMBER",
  user: accountJson(state.account(comment.author))
})
