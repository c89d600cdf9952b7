/**
 * Changes to CI definitions: once they are pushed, a forge runs them on its own machines and with its own secrets,
 * before anybody has read them.
 *
 * Owns: which files those are, marking them in the task, and who has to allow their push.
 * Does not own: the push (`deliver.ts`), waiting for a person (`askUser.ts`).
 */
import { Effect, Option } from "effect"
import { AppConfig } from "../services/AppConfig.ts"
import { GitStore } from "../services/GitStore.ts"
import type { CommitId } from "../services/Ids.ts"
import type { Task } from "../services/Task.ts"
import { TaskChange } from "../services/TaskChange.ts"
import type { Answer } from "../services/TaskEvent.ts"
import { type Question, TaskRepo } from "../services/TaskRepo.ts"
import { visibleLine } from "../services/visibleText.ts"
import { askUser } from "./askUser.ts"
import { storeKey } from "./checkpoint.ts"
import { TaskFailed } from "./outcome.ts"
import type { TaskRun } from "./TaskRun.ts"

/** Files and directories in which CI systems look for what to run, as patterns from the root of a repository. */
export const ciPaths: ReadonlyArray<string> = [
  ".github/workflows",
  ".github/actions",
  ".gitlab-ci.yml",
  ".gitlab/ci",
  ".forgejo/workflows",
  ".forgejo/actions",
  ".gitea/workflows",
  ".gitea/actions",
  ".circleci",
  ".buildkite",
  ".woodpecker",
  ".woodpecker.y*ml",
  ".drone.y*ml",
  ".drone.jsonnet",
  ".drone.star",
  ".travis.yml",
  ".cirrus.yml",
  ".cirrus.star",
  ".semaphore",
  ".teamcity",
  ".tekton",
  ".builds",
  ".build.yml",
  ".appveyor.yml",
  "appveyor.yml",
  "bitbucket-pipelines.yml",
  ".azure-pipelines",
  "**/azure-pipelines*.y*ml",
  "**/Jenkinsfile*",
  "**/cloudbuild.y*ml",
  "**/buildspec.y*ml"
]

const allow = "Push"
const deny = "Do not push"

/** Where nobody answers, nothing is pushed. */
const silence: Answer = { decision: "deny", choice: deny }

const says = ({ choice, decision }: Answer) => decision === "allow" && choice !== deny

/** Marks the CI definitions that the work changes, and returns when its push may go ahead. */
export const clearCiChanges = Effect.fn("clearCiChanges")(function* (run: TaskRun, head: CommitId) {
  const task = yield* run.task
  const changed = yield* ciChanges(task, task.baseCommit, head)
  if (changed.join("\0") !== task.ciChanges.join("\0")) yield* run.record([TaskChange.CiChanged({ paths: changed })])
  if (task.delivery === "none") return
  // What the remote branch holds already was allowed before.
  const news = task.pushedCommit === null ? changed : yield* ciChanges(task, task.pushedCommit, head)
  if (news.length === 0) return
  const { ciChanges: setting } = yield* AppConfig
  if (setting.policy === "refuse") return yield* refused("This server pushes no changes of CI definitions", news)
  if (setting.policy === "allow" && task.approvals === "never") return
  if (!(yield* asked(run, head, news))) return yield* refused("Nobody allowed the push of changed CI definitions", news)
})

const ciChanges = Effect.fnUntraced(
  function* (task: Task, from: CommitId | null, to: CommitId) {
    const store = yield* GitStore
    const { paths } = (yield* AppConfig).ciChanges
    return yield* store.changedPaths(storeKey(task), from, to, [...ciPaths, ...paths])
  },
  Effect.catchTag("PackRefused", ({ detail }) => new TaskFailed({ code: "work_refused", message: detail }))
)

const mostNamed = 20

const listed = (paths: ReadonlyArray<string>) => {
  const rest = paths.length - mostNamed
  return [...paths.slice(0, mostNamed).map(visibleLine), ...(rest > 0 ? [`and ${rest} more`] : [])]
}

export const ciChangesRefused = "ci_changes_refused"

const refused = (reason: string, paths: ReadonlyArray<string>) =>
  new TaskFailed({
    code: ciChangesRefused,
    message:
      `${reason}: ${listed(paths).join(", ")}. The work is kept: read its diff, take its patch, ` +
      "or say in a message what is to be done instead. A retry asks again, where the server asks at all."
  })

const asked = Effect.fnUntraced(function* (run: TaskRun, head: CommitId, paths: ReadonlyArray<string>) {
  const task = yield* run.task
  const files = paths.length === 1 ? "a CI definition" : `${paths.length} CI definitions`
  const asking = {
    toolCallId: null,
    commit: head,
    kind: "approval",
    title: `Push changes of ${files}?`,
    detail: `The forge may run them with the secrets of ${task.repository.url} as soon as they are pushed:\n\n${listed(paths).join("\n")}`,
    choices: [allow, deny],
    default: silence
  } as const
  return says(yield* askUser(run, asking, askedBefore(task, head)))
})

/** What only a person begins: a no that was given before is asked about again. */
const fresh: ReadonlyArray<Task["queuedReason"]> = ["retry", "follow_up", "rewind"]

const askedBefore = Effect.fnUntraced(function* (task: Task, head: CommitId) {
  const repo = yield* TaskRepo
  const { items } = yield* repo.questions({ task: task.id }, { limit: 1_000, cursor: Option.none() })
  const isSettled = ({ answer, commit }: Question) =>
    commit === head && (answer === null || says(answer) || !fresh.includes(task.queuedReason))
  return Option.fromNullable(items.findLast(({ commit }) => commit === head)).pipe(Option.filter(isSettled))
})
