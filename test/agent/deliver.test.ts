/** Deliveries onto a branch that an earlier run has already pushed to, on real storage and real git. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { GitStore } from "../../src/services/GitStore.ts"
import { CommitId, Ids } from "../../src/services/Ids.ts"
import { say } from "../../src/services/TaskCommands.ts"
import { TaskQueue } from "../../src/services/TaskQueue.ts"
import { TaskRepo } from "../../src/services/TaskRepo.ts"
import { commitFiles, gitText, makeBare } from "../support/gitRepository.ts"
import { appLayer, eventsUntil, finished, submit, temporaryDirectory } from "../support/wholeApp.ts"

const files = { "sum.js": "export const sum = (a, b) => a - b\n", "README.md": "Sums.\n" }

const steps = [
  {
    text: "The sign is wrong.",
    tools: [{ name: "edit_file", input: { path: "sum.js", old_text: "a - b", new_text: "a + b" } }],
    delayMs: 300
  },
  { text: "Mended the sign.", delayMs: 300 }
] as const

/** While the task runs, a commit of the store with this file on its branch, as a run that died has pushed it. */
const deliverOnto = (sum: string) =>
  Effect.gen(function* () {
    const directory = yield* temporaryDirectory
    const remote = `${directory}/remote.git`
    yield* makeBare(remote)
    yield* commitFiles(remote, files)
    const app = appLayer({ dataDir: `${directory}/data`, script: { scenarios: [{ name: "main", steps }] } })
    const { task } = yield* Effect.gen(function* () {
      const submitted = yield* submit(remote)
      yield* eventsUntil(submitted.id, ({ type }) => type === "repository.ready")
      const store = yield* GitStore
      const key = { owner: submitted.owner, url: submitted.repository.url }
      const base = CommitId.make(yield* gitText(remote, ["rev-parse", "main"]))
      const tree = yield* commitFiles(remote, { ...files, "sum.js": sum }, { branch: "as-pushed" })
      yield* store.fetch(key, Option.some("as-pushed"))
      yield* gitText(remote, ["branch", "-D", "as-pushed"])
      const author = { name: "Errand", email: "errand@localhost" }
      const at = submitted.createdAt
      const spec = { tree, parents: [base], message: "Pushed before the crash", at, keep: submitted.id, author }
      const commit = yield* store.commit(key, spec)
      yield* store.push(key, { branch: submitted.branch, commit, expected: null })
      return yield* finished(submitted.id)
    }).pipe(Effect.provide(app))
    expect(task).toMatchObject({ status: "completed", error: null })
    expect(yield* gitText(remote, ["rev-parse", task.branch])).toBe(task.pushedCommit)
    expect(yield* gitText(remote, ["show", `${task.branch}:sum.js`])).toContain("a + b")
    return yield* gitText(remote, ["log", "--format=%s", `main..${task.branch}`])
  })

describe("a push that nobody wrote down, because the server died right after it", () => {
  it.scopedLive("is the delivery, when it brought the same files", () =>
    Effect.gen(function* () {
      expect(yield* deliverOnto(files["sum.js"].replace("a - b", "a + b"))).toBe("Pushed before the crash")
    })
  )

  it.scopedLive("is what the delivery builds on, when the work went on since", () =>
    Effect.gen(function* () {
      const subjects = (yield* deliverOnto("half of it\n")).split("\n")
      expect(subjects).toHaveLength(2)
      expect(subjects[1]).toBe("Pushed before the crash")
    })
  )
})

describe("a branch that was merged and deleted", () => {
  // Seen to fail with a branch that is gone taken for one that somebody has moved: the follow-up failed.
  it.scopedLive("is made again by a follow-up, with what it brings beyond the merge", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const remote = `${directory}/remote.git`
      yield* makeBare(remote)
      yield* commitFiles(remote, files)
      const more = { tools: [{ name: "write_file", input: { path: "more.txt", content: "more" } }] } as const
      const app = appLayer({
        dataDir: `${directory}/data`,
        script: { scenarios: [{ name: "main", steps: [...steps, more, { text: "Added more." }] }] }
      })
      const { task } = yield* Effect.gen(function* () {
        const repo = yield* TaskRepo
        const { branch, id } = yield* submit(remote)
        const first = yield* finished(id)
        yield* gitText(remote, ["update-ref", "refs/heads/main", `refs/heads/${branch}`])
        yield* gitText(remote, ["update-ref", "-d", `refs/heads/${branch}`])
        yield* repo.change(id, say(yield* Effect.flatMap(Ids, ({ message }) => message), "queue", "And more."))
        yield* Effect.flatMap(TaskQueue, ({ wake }) => wake)
        return yield* finished(id, first.events.length)
      }).pipe(Effect.provide(app))
      expect(task).toMatchObject({ status: "completed", error: null })
      expect(yield* gitText(remote, ["rev-parse", task.branch])).toBe(task.pushedCommit)
      expect(yield* gitText(remote, ["diff", "--name-only", `main...${task.branch}`])).toBe("more.txt")
    })
  )
})
