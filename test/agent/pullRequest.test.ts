/** Tasks that end in a pull request, at a GitHub over HTTP that holds both sides to what GitHub publishes. */
import { SqlClient } from "@effect/sql/SqlClient"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Logger, LogLevel, Redacted, Schedule } from "effect"
import { GitCredentials } from "../../src/services/GitCredentials.ts"
import type { Task } from "../../src/services/Task.ts"
import { retry, say, signedIn } from "../../src/services/TaskCommands.ts"
import { Ids } from "../../src/services/Ids.ts"
import { TaskQueue } from "../../src/services/TaskQueue.ts"
import { TaskRepo } from "../../src/services/TaskRepo.ts"
import { TaskRunner } from "../../src/services/TaskRunner.ts"
import { type GitHub, gitHub } from "../support/github/gitHub.ts"
import type { GitHubFault } from "../support/github/Site.ts"
import type { Repository } from "../support/github/state.ts"
import { gitText } from "../support/gitRepository.ts"
import { appLayer, eventsUntil, finished, submit, temporaryDirectory } from "../support/wholeApp.ts"

const files = {
  "sum.js": "export const sum = (a, b) => a - b\n",
  ".github/pull_request_template.md": "## Checklist\n\n- [ ] I have read CONTRIBUTING\n"
}

const words =
  "Mended the sign. Closes #1, thanks @acme/everybody! <img src=x onerror=alert(1)> ![x](https://evil.example/p)"

const steps = [
  {
    text: "The sign is wrong.",
    tools: [{ name: "edit_file", input: { path: "sum.js", old_text: "a - b", new_text: "a + b" } }]
  },
  { text: words },
  { tools: [{ name: "write_file", input: { path: "more.txt", content: "more\n" } }] },
  { text: "Wrote more." }
] as const

interface Scene {
  readonly github: GitHub
  readonly repository: Repository
  readonly token: string
  /** Submits a task that ends in a pull request, with a stored token, and follows it to its end or pause. */
  readonly run: (changes?: Parameters<typeof submit>[1]) => ReturnType<typeof runToEnd>
  /** The same without following it. */
  readonly begin: () => ReturnType<typeof begin>
}

const storeToken = Effect.fnUntraced(function* (task: Pick<Task, "owner">, host: string, token: string) {
  const credentials = yield* GitCredentials
  yield* credentials.put(task.owner, host, { kind: "token", value: Redacted.make(token) })
})

const begin = Effect.fnUntraced(function* (
  github: GitHub,
  url: string,
  token: string,
  changes: Parameters<typeof submit>[1] = {}
) {
  // The first is only there for its owner, whose token has to be stored before the second begins.
  const first = yield* submit(url, { startAt: "2999-01-01T00:00:00.000Z" })
  yield* storeToken(first, github.host, token)
  return yield* submit(url, { delivery: "pull_request", ...changes })
})

const runToEnd = (...parts: Parameters<typeof begin>) => Effect.flatMap(begin(...parts), ({ id }) => finished(id))

/** A GitHub with one repository, and the application beside it. */
const onStage = <A, E, R>(play: (scene: Scene) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const github = yield* gitHub()
    const token = github.state.addToken("ann")
    const { repository, url } = yield* github.create("acme/app", { files, permissions: { ann: "write" } })
    const dataDir = yield* temporaryDirectory
    const app = appLayer({
      dataDir,
      script: { scenarios: [{ name: "main", steps }] },
      settings: { github: { url: github.url, apiUrl: github.apiUrl }, trustedGitHosts: [github.host] }
    })
    const scene: Scene = {
      github,
      repository,
      token,
      run: (changes) => runToEnd(github, url, token, changes),
      begin: () => begin(github, url, token)
    }
    return yield* play(scene).pipe(
      Effect.provide(app.pipe(Layer.provide(Logger.minimumLogLevel(LogLevel.Error)))),
      Effect.scoped
    )
  })

const opened = (types: ReadonlyArray<string>) => types.filter((type) => type === "pull_request.opened").length

describe("a task that ends in a pull request", () => {
  it.scopedLive("opens a draft that tells the whole change, and calls nobody", () =>
    onStage(({ repository, run }) =>
      Effect.gen(function* () {
        const { events, task, types } = yield* run({ title: "Mend the sum, see #7" })
        expect(task).toMatchObject({ status: "completed", error: null })
        expect(repository.pulls).toHaveLength(1)
        const [pull] = repository.pulls
        expect(pull).toMatchObject({ head: task.branch, base: "main", draft: true, title: "Mend the sum, see #7" })
        expect(task.pullRequest).toMatchObject({ number: 1, state: "open", draft: true, checks: "none" })
        expect(task.pullRequest?.url).toMatch(/\/acme\/app\/pull\/1$/)
        expect(opened(types)).toBe(1)
        expect(events.find(({ type }) => type === "pull_request.opened")).toMatchObject({
          url: task.pullRequest?.url,
          number: 1
        })
        const body = pull?.body ?? ""
        expect(body).toContain("Mended the sign.")
        expect(body).toContain("## Checklist")
        expect(body).toContain("`sum.js`")
        expect(body).toContain(task.id)
        // Taken out: `harmless`. The words stood there as the model wrote them.
        expect(body).not.toMatch(/#1\b|@acme|<img|!\[/)
        const commit = yield* gitText(repository.path, ["log", "-1", "--format=%B", task.branch])
        expect(commit).toContain("Mended the sign.")
        expect(commit).not.toMatch(/#1\b|@acme/)
      })
    )
  )

  it.scopedLive("brings a follow-up to the same branch and pull request, and leaves alone what people wrote", () =>
    onStage(({ repository, run }) =>
      Effect.gen(function* () {
        const { events, task } = yield* run()
        const [pull] = repository.pulls
        if (pull === undefined) throw new Error("no pull request")
        pull.body = `A person says hello.\n${pull.body}`
        const repo = yield* TaskRepo
        const ids = yield* Ids
        yield* repo.change(task.id, say(yield* ids.message, "queue", "Go on."))
        yield* Effect.flatMap(TaskQueue, ({ wake }) => wake)
        const next = yield* finished(task.id, events.at(-1)?.seq)
        expect(next.task).toMatchObject({ status: "completed", pullRequest: { number: 1 } })
        expect(opened(next.types)).toBe(0)
        expect(repository.pulls).toHaveLength(1)
        expect(pull.body).toContain("A person says hello.")
        expect(pull.body).toContain("Wrote more.")
        expect(pull.body).not.toContain("Mended the sign.")
        expect(pull.body).toContain("`more.txt`")
        expect(pull.body.match(/## Checklist/g)).toHaveLength(1)
      })
    )
  )

  it.scopedLive("opens another when the first was merged, and none when a person closed it", () =>
    onStage(({ repository, run }) =>
      Effect.gen(function* () {
        const { events, task } = yield* run()
        const [pull] = repository.pulls
        if (pull === undefined) throw new Error("no pull request")
        pull.state = "closed"
        pull.merged = true
        // What was merged is what the branch held then.
        pull.headCommit = task.pushedCommit ?? ""
        const repo = yield* TaskRepo
        const ids = yield* Ids
        const goOn = Effect.fnUntraced(function* (after: number | undefined) {
          yield* repo.change(task.id, say(yield* ids.message, "queue", "Go on."))
          yield* Effect.flatMap(TaskQueue, ({ wake }) => wake)
          return yield* finished(task.id, after)
        })
        const second = yield* goOn(events.at(-1)?.seq)
        expect(second.task.pullRequest).toMatchObject({ number: 2, state: "open" })
        for (const one of repository.pulls) one.state = "closed"
        yield* goOn(second.events.at(-1)?.seq)
        expect(repository.pulls).toHaveLength(2)
      })
    )
  )
})

/** Faults that pass: the task waits as told, is completed, and there is one pull request. */
const passing: ReadonlyArray<readonly [string, string, GitHubFault, { code: string; delayMs?: number } | null]> = [
  ["the hourly limit", "GET", { _tag: "RateLimit", resetsIn: 2 }, { code: "forge_rate_limited" }],
  [
    "a secondary limit",
    "POST",
    { _tag: "SecondaryLimit", retryAfter: 1 },
    { code: "forge_rate_limited", delayMs: 1000 }
  ],
  ["an HTML page with 502", "GET", { _tag: "Page", status: 502 }, { code: "forge_unavailable" }],
  // Taken out: looking after a failure (`orExisting`) and before opening (`find`). The second request was refused, the task failed.
  ["a 502 after success", "POST", { _tag: "LostAnswer" }, null]
]

describe("a GitHub in trouble", () => {
  // Seen to fail with a run that waits: it held its slot for the whole hour.
  it.scopedLive("is left alone for an hour by a task in the queue, which holds no slot", () =>
    onStage(({ begin, github, repository }) =>
      Effect.gen(function* () {
        github.fail("GET /repos/acme/app/pulls", { _tag: "RateLimit", resetsIn: 3600 })
        const now = Date.now()
        const { id } = yield* begin()
        const events = yield* eventsUntil(id, ({ type }) => type === "task.queued")
        expect(events.slice(-2)).toMatchObject([
          { type: "retry.scheduled", code: "forge_rate_limited", delayMs: expect.closeTo(3_600_000, -5) },
          { type: "task.queued", reason: "resume" }
        ])
        yield* Effect.flatMap(TaskRunner, ({ awaitIdle }) => awaitIdle)
        const repo = yield* TaskRepo
        const task = yield* repo.get(id)
        expect(task).toMatchObject({ status: "queued", error: null, pullRequest: null })
        expect(Date.parse(task.startAt ?? "") - now).toBeGreaterThan(3_500_000)
        expect(yield* gitText(repository.path, ["rev-parse", task.branch])).toBe(task.pushedCommit)
        github.heal()
        yield* Effect.flatMap(SqlClient, (sql) => sql`UPDATE tasks SET start_at = created_at WHERE id = ${id}`)
        yield* Effect.flatMap(TaskQueue, ({ wake }) => wake)
        const next = yield* finished(id, events.at(-1)?.seq)
        expect(next.task).toMatchObject({ status: "completed", pullRequest: { number: 1 } })
        expect(opened(next.types)).toBe(1)
      })
    )
  )

  for (const [name, method, fault, retried] of passing) {
    it.scopedLive(`is waited for: ${name}`, () =>
      onStage(({ github, repository, run }) =>
        Effect.gen(function* () {
          github.fail(`${method} /repos/acme/app/pulls`, fault)
          const { events, task, types } = yield* run()
          expect(task).toMatchObject({ status: "completed", error: null, pullRequest: { number: 1 } })
          expect(repository.pulls).toHaveLength(1)
          expect(opened(types)).toBe(1)
          const found = events.find(({ type }) => type === "retry.scheduled")
          if (retried === null) expect(found).toBeUndefined()
          else expect(found).toMatchObject(retried)
        })
      )
    )
  }

  it.scopedLive("has one already: somebody opened it in the same moment", () =>
    onStage(({ github, repository, run }) =>
      Effect.gen(function* () {
        github.fail("POST /repos/acme/app/pulls", { _tag: "Slow", ms: 500 })
        const other = Effect.gen(function* () {
          const call = github.calls().find(({ method }) => method === "POST")
          if (call === undefined) return yield* Effect.fail("not yet")
          const { head } = call.body as { readonly head: string }
          const own = { author: "bob", head, base: "main", draft: false, title: "Mine", body: "" }
          repository.pulls.push({ number: 1, state: "open", merged: false, headCommit: null, ...own })
        }).pipe(Effect.retry(Schedule.spaced("20 millis")))
        const [{ task, types }] = yield* Effect.all([run(), other], { concurrency: 2 })
        expect(task).toMatchObject({ status: "completed", pullRequest: { number: 1, draft: false } })
        expect(repository.pulls).toHaveLength(1)
        expect(opened(types)).toBe(1)
      })
    )
  )

  it.scopedLive("knows no drafts", () =>
    onStage(({ repository, run }) =>
      Effect.gen(function* () {
        repository.draftsAllowed = false
        const { task } = yield* run()
        expect(task).toMatchObject({ status: "completed", pullRequest: { number: 1, draft: false } })
      })
    )
  )

  it.scopedLive("takes the token no longer: the work is pushed, the task pauses, and goes on after a new sign-in", () =>
    onStage(({ github, repository, run, token }) =>
      Effect.gen(function* () {
        github.fail("GET /repos/acme/app/pulls", { _tag: "Status", status: 401, message: "Bad credentials" }, 2)
        const { events, task } = yield* run()
        expect(task).toMatchObject({ status: "paused", pausedReason: "reconnect_github", pullRequest: null })
        expect(yield* gitText(repository.path, ["rev-parse", task.branch])).toBe(task.pushedCommit)
        github.heal()
        github.state.revoke(token)
        yield* storeToken(task, github.host, github.state.addToken("ann"))
        const repo = yield* TaskRepo
        yield* repo.change(task.id, signedIn)
        yield* Effect.flatMap(TaskQueue, ({ wake }) => wake)
        const next = yield* finished(task.id, events.at(-1)?.seq)
        expect(next.task).toMatchObject({ status: "completed", pullRequest: { number: 1 } })
        expect(opened(next.types)).toBe(1)
        expect(repository.pulls).toHaveLength(1)
      })
    )
  )

  it.scopedLive("takes the token no longer for git: nothing is lost, and the task pauses", () =>
    onStage(({ github, repository, run, token }) =>
      Effect.gen(function* () {
        github.fail("push", { _tag: "Status", status: 401 }, 3)
        const running = run()
        const { task } = yield* running
        expect(task).toMatchObject({ status: "paused", pausedReason: "reconnect_github", pushedCommit: null })
        expect(task.headCommit).not.toBeNull()
        github.heal()
        yield* storeToken(task, github.host, token)
        const repo = yield* TaskRepo
        yield* repo.change(task.id, signedIn)
        yield* Effect.flatMap(TaskQueue, ({ wake }) => wake)
        yield* eventsUntil(task.id, ({ type }) => type === "task.completed")
        expect(repository.pulls).toHaveLength(1)
      })
    )
  )

  it.scopedLive("has taken the access away: the task fails, the branch is there, a retry goes straight on", () =>
    onStage(({ github, repository, run }) =>
      Effect.gen(function* () {
        github.fail("GET /repos/acme/app/pulls", { _tag: "Status", status: 404, message: "Not Found" })
        const { events, task } = yield* run()
        expect(task).toMatchObject({ status: "failed", error: { code: "repository_not_found" }, pullRequest: null })
        expect(task.error?.message).toContain(task.branch)
        const repo = yield* TaskRepo
        yield* repo.change(task.id, retry)
        yield* Effect.flatMap(TaskQueue, ({ wake }) => wake)
        const next = yield* finished(task.id, events.at(-1)?.seq)
        expect(next.task).toMatchObject({ status: "completed", turns: task.turns, pullRequest: { number: 1 } })
        expect(repository.pulls).toHaveLength(1)
      })
    )
  )

  it.scopedLive("refuses: the task fails with GitHub's own words", () =>
    onStage(({ github, run }) =>
      Effect.gen(function* () {
        const message = "Resource not accessible by personal access token"
        github.fail("POST /repos/acme/app/pulls", { _tag: "Status", status: 403, message }, 2)
        const { task } = yield* run()
        expect(task).toMatchObject({ status: "failed", error: { code: "pull_request_refused" } })
        expect(task.error?.message).toContain(message)
      })
    )
  )
})
