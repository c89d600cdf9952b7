/**
 * Bringing the pushed branch of a task to a pull request: the one that it has, or a new one.
 *
 * Owns: which pull request is the task's, and where its words come from. Doing it again changes nothing.
 * Does not own: when it is done, and what is stored about it (`agent/deliver.ts`, `http/`).
 */
import { Effect, Option } from "effect"
import { AppConfig } from "./AppConfig.ts"
import { Forge, type ForgeFailed, type FoundPullRequest } from "./Forge.ts"
import { type Diff, GitStore, type StoreKey } from "./GitStore.ts"
import type { CommitId } from "./Ids.ts"
import { lastWords } from "./Message.ts"
import type { PullRequest, Task } from "./Task.ts"
import { TaskChange } from "./TaskChange.ts"
import { TaskRepo } from "./TaskRepo.ts"
import { pullRequestBody, pullRequestTitle, renewedBody } from "./pullRequestText.ts"

/** Where forges look for the template of a repository, the first that is there counts. */
const templates = [
  ".github/pull_request_template.md",
  ".github/PULL_REQUEST_TEMPLATE.md",
  "pull_request_template.md",
  "PULL_REQUEST_TEMPLATE.md",
  "docs/pull_request_template.md",
  "docs/PULL_REQUEST_TEMPLATE.md",
  ".gitea/pull_request_template.md",
  ".gitea/PULL_REQUEST_TEMPLATE.md",
  ".forgejo/pull_request_template.md",
  ".forgejo/PULL_REQUEST_TEMPLATE.md"
]
const templateBytes = 64 * 1024

const noDiff: Diff = { files: [], additions: 0, deletions: 0, truncated: false }

const unwatched = { checks: "none", review: "none" } as const

const seen = ({ draft, number, state, url }: FoundPullRequest, task: Task): PullRequest => {
  const known = task.pullRequest?.number === number ? task.pullRequest : unwatched
  return { url, number, state, draft, checks: known.checks, review: known.review }
}

/** What a task learns of its pull request; nothing when it knows that. */
export const pullRequestNews = (task: Task, pullRequest: PullRequest): ReadonlyArray<TaskChange> => {
  if (task.pullRequest?.number !== pullRequest.number) return [TaskChange.PullRequestOpened({ pullRequest })]
  const known: PullRequest = task.pullRequest
  const changed =
    known.state !== pullRequest.state ||
    known.draft !== pullRequest.draft ||
    known.checks !== pullRequest.checks ||
    known.review !== pullRequest.review
  return changed ? [TaskChange.PullRequestChanged({ pullRequest })] : []
}

export const openPullRequest = Effect.fn("openPullRequest")(function* (
  task: Task,
  pushed: CommitId
): Effect.fn.Return<PullRequest, ForgeFailed, AppConfig | Forge | GitStore | TaskRepo> {
  const forge = yield* Forge
  const store = yield* GitStore
  const repo = yield* TaskRepo
  const { pullRequests } = yield* AppConfig
  const key: StoreKey = { owner: task.owner, url: task.repository.url }
  const diff = yield* Effect.orElseSucceed(store.diff(key, task.baseCommit, pushed), () => noDiff)
  const words = lastWords(yield* repo.conversation(task.id))
  const found = yield* forge.find(key, task.branch)

  if (Option.isSome(found) && !hasWorkBeyond(found.value, pushed)) {
    const { body, number, state } = found.value
    const renewed = renewedBody(body, task, words, diff)
    if (state === "open" && renewed !== body) yield* forge.describe(key, number, renewed)
    return seen(found.value, task)
  }
  const template = yield* readTemplate(store, key, task.baseCommit)
  const opened = yield* forge.open(key, {
    branch: task.branch,
    base: task.repository.ref,
    title: pullRequestTitle(task),
    body: pullRequestBody(task, words, diff, template),
    draft: pullRequests.draft
  })
  return seen(opened, task)
})

/** What was merged takes no more commits: work that came later needs another. What a person closed stays closed. */
const hasWorkBeyond = (found: FoundPullRequest, pushed: CommitId) => found.state === "merged" && found.head !== pushed

/** From the commit that the task started from, as the repository's people have it. */
const readTemplate = Effect.fnUntraced(function* (store: GitStore["Type"], key: StoreKey, base: CommitId | null) {
  if (base === null) return null
  for (const path of templates) {
    const found = yield* store.readFile(key, base, path, templateBytes)
    if (Option.isSome(found)) return new TextDecoder().decode(found.value)
  }
  return null
})
