/** Rewinding whole runs, on real storage and real git, with a scripted model. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Option } from "effect"
import type { ScriptSource } from "../../src/layers/scripted/Script.ts"
import type { CommitId, TaskId } from "../../src/services/Ids.ts"
import { TaskChange } from "../../src/services/TaskChange.ts"
import { rewind, say } from "../../src/services/TaskCommands.ts"
import { Ids } from "../../src/services/Ids.ts"
import { TaskQueue } from "../../src/services/TaskQueue.ts"
import { TaskRepo } from "../../src/services/TaskRepo.ts"
import { commitFiles, gitText, makeBare } from "../support/gitRepository.ts"
import { appLayer, eventsUntil, finished, submit, temporaryDirectory } from "../support/wholeApp.ts"

const write = (path: string, content: string) => ({ name: "write_file", input: { path, content } })

const otherWay = { user: "another way" }

const script: ScriptSource = {
  scenarios: [
    {
      name: "ask",
      match: "Ask me",
      steps: [
        { tools: [write("first.txt", "first")] },
        { unless: otherWay, tools: [{ name: "ask_user", input: { question: "Well?" } }] },
        { text: "Went on." }
      ]
    },
    {
      name: "main",
      steps: [
        { tools: [write("first.txt", "first")] },
        { when: otherWay, tools: [write("other.txt", "other")], goto: "done" },
        { tools: [write("second.txt", "second")] },
        { name: "done", text: "Done." },
        { when: { user: "more" }, tools: [write("third.txt", "third")] },
        { text: "Done with more." }
      ]
    }
  ]
}

const stage = Effect.gen(function* () {
  const directory = yield* temporaryDirectory
  const remote = `${directory}/remote.git`
  yield* makeBare(remote)
  const base = yield* commitFiles(remote, { "README.md": "Words.\n" })
  return { app: appLayer({ dataDir: `${directory}/data`, script }), base, remote }
})

const checkpointsOf = (id: TaskId) =>
  Effect.flatMap(TaskRepo, (repo) =>
    Effect.map(repo.checkpoints(id, { limit: 100, cursor: Option.none() }), ({ items }) =>
      items.map(({ commit }) => commit).toReversed()
    )
  )

/** What the door does for `POST /tasks/{id}/rewind`. */
const goBack = Effect.fnUntraced(function* (id: TaskId, commit: CommitId, words?: string) {
  const repo = yield* TaskRepo
  const messageId = yield* (yield* Ids).message
  const found = yield* repo.checkpoint(id, commit)
  const open = yield* repo.questions({ task: id, status: "open" }, { limit: 10, cursor: Option.none() })
  const { deliveredCommit } = Option.getOrElse(found, () => ({ deliveredCommit: null }))
  const steer = words === undefined ? [] : [TaskChange.MessageQueued({ messageId, mode: "steer", content: words })]
  const { seq } = yield* repo.change(id, rewind({ commit, deliveredCommit }, open.items, steer))
  yield* (yield* TaskQueue).wake
  return seq
})

const follow = Effect.fnUntraced(function* (id: TaskId, words: string) {
  const repo = yield* TaskRepo
  const { seq } = yield* repo.change(id, say(yield* (yield* Ids).message, "steer", words))
  yield* (yield* TaskQueue).wake
  return yield* finished(id, seq)
})

const they = ["-c", "user.name=They", "-c", "user.email=they@example.com"]

const filesOf = (remote: string, branch: string) =>
  Effect.map(gitText(remote, ["ls-tree", "--name-only", branch]), (text) => text.split("\n"))

const historyOf = (remote: string, branch: string) => gitText(remote, ["rev-list", "--count", `main..${branch}`])

describe("a rewind", () => {
  it.scopedLive("takes files, conversation and the remote branch back, and goes on another way", () =>
    Effect.gen(function* () {
      const { app, base, remote } = yield* stage
      yield* Effect.gen(function* () {
        const repo = yield* TaskRepo
        const { branch, id } = yield* submit(remote)
        const before = yield* finished(id)
        expect(yield* filesOf(remote, branch)).toEqual(["README.md", "first.txt", "second.txt"])
        const [first] = yield* checkpointsOf(id)

        const { task, types } = yield* finished(id, yield* goBack(id, first ?? base, "another way"))
        expect(types).not.toContain("task.failed")
        expect(task).toMatchObject({ status: "completed", line: 2 })
        expect(yield* filesOf(remote, branch)).toEqual(["README.md", "first.txt", "other.txt"])
        expect(yield* gitText(remote, ["rev-parse", branch])).toBe(task.headCommit)
        expect(yield* historyOf(remote, branch)).toBe("1")
        expect(task.headCommit).not.toBe(before.task.headCommit)
        expect(task.turns).toBeGreaterThan(before.task.turns)
        const words = JSON.stringify(yield* repo.conversation(id))
        expect(words).toContain("other.txt")
        expect(words).not.toContain("second.txt")
      }).pipe(Effect.provide(app))
    })
  )

  it.scopedLive("into an earlier delivery keeps what that had delivered, and nothing later", () =>
    Effect.gen(function* () {
      const { app, base, remote } = yield* stage
      yield* Effect.gen(function* () {
        const { branch, id } = yield* submit(remote)
        const first = yield* finished(id)
        const more = yield* follow(id, "more")
        expect(yield* historyOf(remote, branch)).toBe("2")
        const saved = yield* checkpointsOf(id)
        expect(saved).toHaveLength(3)

        // Rewound to the last checkpoint of the first run, with nothing to add: the branch is as that run had left it.
        const back = yield* finished(id, yield* goBack(id, saved[1] ?? base))
        expect(back.task.status).toBe("completed")
        expect(yield* gitText(remote, ["rev-parse", `${branch}^{tree}`])).toBe(
          yield* gitText(remote, ["rev-parse", `${first.task.headCommit}^{tree}`])
        )
        expect(yield* historyOf(remote, branch)).toBe("1")

        // And forward again, to what had been left behind.
        const forward = yield* finished(id, yield* goBack(id, saved[2] ?? base))
        expect(forward.task.status).toBe("completed")
        expect(yield* filesOf(remote, branch)).toContain("third.txt")
        expect(yield* gitText(remote, ["merge-base", "--is-ancestor", first.task.headCommit ?? "", branch])).toBe("")
        expect(yield* historyOf(remote, branch)).toBe("2")
        expect(forward.task.headCommit).toBe(more.task.headCommit)
      }).pipe(Effect.provide(app))
    })
  )

  it.scopedLive("to where the task began starts the conversation anew", () =>
    Effect.gen(function* () {
      const { app, base, remote } = yield* stage
      yield* Effect.gen(function* () {
        const repo = yield* TaskRepo
        const { branch, id } = yield* submit(remote)
        yield* finished(id)
        const { task } = yield* finished(id, yield* goBack(id, base, "another way"))
        expect(task.status).toBe("completed")
        const [message] = yield* repo.conversation(id)
        expect(message?.role).toBe("user")
        expect(yield* historyOf(remote, branch)).toBe("1")
      }).pipe(Effect.provide(app))
    })
  )

  it.scopedLive("overwrites nothing that somebody else has pushed", () =>
    Effect.gen(function* () {
      const { app, base, remote } = yield* stage
      yield* Effect.gen(function* () {
        const { branch, id } = yield* submit(remote)
        yield* finished(id)
        const [first] = yield* checkpointsOf(id)
        const theirs = yield* gitText(remote, [
          ...they,
          "commit-tree",
          "-p",
          branch,
          "-m",
          "theirs",
          `${branch}^{tree}`
        ])
        yield* gitText(remote, ["update-ref", `refs/heads/${branch}`, theirs])
        const { task } = yield* finished(id, yield* goBack(id, first ?? base, "another way"))
        expect(task).toMatchObject({ status: "failed", error: { code: "branch_moved" } })
        expect(yield* gitText(remote, ["rev-parse", branch])).toBe(theirs)
      }).pipe(Effect.provide(app))
    })
  )

  it.scopedLive("of a task that waits for a person ends the run that waits", () =>
    Effect.gen(function* () {
      const { app, base, remote } = yield* stage
      yield* Effect.gen(function* () {
        const repo = yield* TaskRepo
        const { branch, id } = yield* submit(remote, { prompt: "Ask me." })
        yield* eventsUntil(id, ({ type }) => type === "task.waiting")
        const [first] = yield* checkpointsOf(id)
        const { task, types } = yield* finished(id, yield* goBack(id, first ?? base, "another way"))
        expect(task).toMatchObject({ status: "completed", runNumber: 2 })
        expect(types).not.toContain("task.resumed")
        expect(yield* filesOf(remote, branch)).toContain("first.txt")
        const refused = Either.flip(
          rewind({ commit: base, deliveredCommit: null }, [], [])({ ...task, status: "running" })
        )
        expect(Either.getOrThrow(refused).message).toContain("Cancel it first")
        expect((yield* repo.questions({ task: id }, { limit: 5, cursor: Option.none() })).items).toMatchObject([
          { status: "cancelled" }
        ])
      }).pipe(Effect.provide(app))
    })
  )
})
