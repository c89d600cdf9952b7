/** What every TaskRepo must find, for whom, and in which order. */
import { assert, layer } from "@effect/vitest"
import { Effect, type Layer, Option, TestClock } from "effect"
import type { UserId } from "../../src/services/Ids.ts"
import { Timestamp } from "../../src/services/Task.ts"
import * as TaskCommands from "../../src/services/TaskCommands.ts"
import { TaskChange } from "../../src/services/TaskChange.ts"
import { TaskRepo, type TaskFilter } from "../../src/services/TaskRepo.ts"
import { newTaskId } from "./someEvents.ts"
import { ask, commit, count, draftOf, finishTool, newQuestionId, running, say, startTool, these } from "./someTasks.ts"
import { pagesOf, sizes, wholePage } from "./pagesOf.ts"
import { People, type TaskServices } from "./storageLayers.ts"

const found = (filter: TaskFilter) =>
  Effect.flatMap(TaskRepo, (repo) =>
    Effect.map(repo.list(filter, wholePage), ({ items }) => items.map(({ title }) => title))
  )

const createTasks = Effect.fnUntraced(function* (owner: UserId, parts: ReadonlyArray<Parameters<typeof draftOf>[1]>) {
  const repo = yield* TaskRepo
  return yield* Effect.forEach(parts, (part) =>
    Effect.zipRight(
      TestClock.adjust("1 second"),
      Effect.map(repo.create(draftOf(owner, part)), ({ task }) => task)
    )
  )
})

export const taskListsContract = <E>(name: string, adapter: Layer.Layer<TaskServices, E>) =>
  layer(adapter)(`${name}, lists`, (it) => {
    it.effect("gives a task back as it was, every field of it", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const task = yield* running({
          title: "Ünïcode & 'quotes' \"both\" \u0000 𝄞",
          prompt: "line\nline\r\n\ttab",
          repository: { url: "ssh://git@git.example.com/a/b", ref: "refs/heads/main" },
          delivery: "pull_request",
          limits: { maxTurns: 7, maxCostUsd: 0.1234, maxDurationSeconds: 60 },
          network: { mode: "allowlist", hosts: ["a.example", "b.example:8080"] },
          approvals: "ask",
          priority: -5,
          tags: ["a", "b,c", '"'],
          secrets: ["NPM_TOKEN"],
          startAt: "2026-01-01T00:00:00.000Z",
          expiresAt: "2027-01-01T00:00:00.000Z"
        })
        const { task: changed } = yield* repo.change(
          task.id,
          these(
            TaskChange.RepositoryReady({ baseCommit: commit("1") }),
            TaskChange.CiChanged({ paths: [".github/workflows/a.yml", "b\n,c"] }),
            TaskChange.BranchPushed({ branch: task.branch, commit: commit("2") }),
            TaskChange.PullRequestOpened({
              pullRequest: {
                url: "https://forge.example/pull/7",
                number: 7,
                state: "open",
                draft: true,
                checks: "failed",
                review: "changes_requested"
              }
            }),
            TaskChange.Updated({ patch: { title: "new", tags: [], priority: 9 } }),
            count("r", 1e-9),
            TaskChange.Paused({ reason: "budget_reached" })
          )
        )
        assert.deepStrictEqual(yield* repo.get(task.id), changed)
        const { task: failed } = yield* repo.change(
          task.id,
          these(TaskChange.Failed({ error: { code: "broken", message: "It broke." } }))
        )
        assert.deepStrictEqual(yield* repo.get(task.id), failed)
        assert.deepStrictEqual((yield* repo.list({ owner: task.owner }, wholePage)).items, [failed])
      })
    )

    it.effect("shows nobody the tasks and questions of another", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const task = yield* running()
        const stranger = yield* (yield* People).newcomer
        const question = newQuestionId()
        yield* repo.change(task.id, these(ask(question), count("r")))
        assert.strictEqual((yield* repo.getOwned(task.owner, task.id)).id, task.id)
        assert.strictEqual((yield* Effect.flip(repo.getOwned(stranger, task.id)))._tag, "TaskNotFound")
        assert.deepStrictEqual((yield* repo.list({ owner: stranger, q: "failing" }, wholePage)).items, [])
        assert.isTrue(Option.isNone(yield* repo.question(stranger, question)))
        assert.deepStrictEqual((yield* repo.questions({ owner: stranger }, wholePage)).items, [])
        assert.strictEqual((yield* repo.spent({ owner: stranger, from: "1970-01-01" })).costUsd, 0)
      })
    )

    it.effect("lists tasks newest first, in pages that tasks made meanwhile don't move", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const owner = yield* (yield* People).newcomer
        const tasks = yield* createTasks(
          owner,
          Array.from({ length: 6 }, () => ({}))
        )
        const sameMoment = yield* Effect.forEach([1, 2], () => repo.create(draftOf(owner)))
        const newestFirst = [...tasks.map(({ id }) => id), ...sameMoment.map(({ task }) => task.id)].toReversed()
        const pages = yield* pagesOf(3, (page) =>
          Effect.zipLeft(
            Effect.map(repo.list({ owner }, page), (it) => ({ ...it, items: it.items.map(({ id }) => id) })),
            createTasks(owner, [{}])
          )
        )
        assert.deepStrictEqual(pages.flat(), newestFirst)
        assert.deepStrictEqual(sizes(pages), [3, 3, 2])
      })
    )

    it.effect("finds tasks by status, repository and tag, and by all of them together", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const owner = yield* (yield* People).newcomer
        const [one, two] = [
          { url: "https://git.example.com/1", ref: null },
          { url: "https://git.example.com/2", ref: "v2" }
        ]
        const tasks = yield* createTasks(owner, [
          { title: "a", repository: one, tags: ["red"] },
          { title: "b", repository: two, tags: ["red", "blue"] },
          { title: "c", repository: two, tags: ["blue"] }
        ])
        yield* Effect.forEach(tasks.slice(1), ({ id }) => repo.change(id, these(TaskChange.Cancelled())))
        assert.deepStrictEqual(yield* found({ owner, status: ["cancelled"] }), ["c", "b"])
        assert.deepStrictEqual(yield* found({ owner, status: ["queued", "running"] }), ["a"])
        assert.deepStrictEqual(yield* found({ owner, status: [] }), [])
        assert.deepStrictEqual(yield* found({ owner, repository: two.url }), ["c", "b"])
        assert.deepStrictEqual(yield* found({ owner, tag: "red" }), ["b", "a"])
        assert.deepStrictEqual(yield* found({ owner, tag: "re" }), [])
        assert.deepStrictEqual(
          yield* found({ owner, tag: "blue", status: ["cancelled"], repository: two.url, q: "b" }),
          ["b"]
        )
      })
    )

    it.effect("searches prompt, title, messages and tool output, each word anywhere in the task", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const owner = yield* (yield* People).newcomer
        const [first, second] = yield* createTasks(owner, [
          { title: "first Café", prompt: "The parser rejects dates." },
          { title: "second", prompt: "Dates again." }
        ])
        yield* repo.change(first?.id ?? newTaskId(), these(TaskChange.RunStarted({ run: 1, reason: "start" })))
        yield* repo.change(
          first?.id ?? newTaskId(),
          these(say("I suspect the timezone."), startTool("t"), finishTool("t", "FAIL src/calendar-week.test.ts"))
        )
        assert.deepStrictEqual(yield* found({ owner, q: "dates" }), ["second", "first Café"])
        assert.deepStrictEqual(yield* found({ owner, q: "DATES  timezone" }), ["first Café"])
        assert.deepStrictEqual(yield* found({ owner, q: "cafe" }), ["first Café"])
        assert.deepStrictEqual(yield* found({ owner, q: "calendar-week.test.ts" }), ["first Café"])
        assert.deepStrictEqual(yield* found({ owner, q: "week-calendar" }), [])
        assert.deepStrictEqual(yield* found({ owner, q: "dates nowhere" }), [])
        assert.deepStrictEqual(yield* found({ owner, q: " " }), ["second", "first Café"])
        yield* repo.change(second?.id ?? newTaskId(), these(TaskChange.Updated({ patch: { title: "renamed" } })))
        assert.deepStrictEqual(yield* found({ owner, q: "renamed" }), ["renamed"])
      })
    )

    it.effect("takes any text as a search", () =>
      Effect.gen(function* () {
        const owner = yield* (yield* People).newcomer
        yield* createTasks(owner, [{ title: "the one", prompt: "say something" }])
        const harmless = [
          '"',
          "'",
          "* ^ -",
          "a AND",
          "NEAR(",
          "title:",
          "{",
          "\u0000",
          "a\u0000b",
          "\ud800",
          "%_",
          "))",
          "--",
          "?1"
        ]
        for (const q of harmless) assert.deepStrictEqual(yield* found({ owner, q }), [], JSON.stringify(q))
        assert.deepStrictEqual(yield* found({ owner, q: '"something" (say*)' }), ["the one"])
        assert.deepStrictEqual(yield* found({ owner, q: "word ".repeat(10_000) }), [])
      })
    )

    it.effect("finds all of many texts, however they were stored", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const task = yield* running({ title: "many" })
        yield* Effect.forEach(
          Array.from({ length: 150 }, (_, index) => index),
          (index) => repo.change(task.id, these(say(`needle${index} ${"hay ".repeat(500)}`))),
          { concurrency: 10 }
        )
        for (const index of [0, 63, 64, 65, 100, 149]) {
          assert.deepStrictEqual(yield* found({ owner: task.owner, q: `needle${index}` }), ["many"])
        }
        assert.deepStrictEqual(yield* found({ owner: task.owner, q: "needle150" }), [])
      })
    )

    it.effect("lists tasks of some statuses oldest first, whoever owns them", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const owner = yield* (yield* People).newcomer
        const tasks = yield* createTasks(owner, [{}, {}, {}])
        yield* repo.change(tasks[1]?.id ?? newTaskId(), these(TaskChange.RunStarted({ run: 1, reason: "start" })))
        const ids = new Set(tasks.map(({ id }) => id))
        const listed = (statuses: Parameters<typeof repo.withStatus>[0]) =>
          Effect.map(repo.withStatus(statuses), (some) => some.map(({ id }) => id).filter((id) => ids.has(id)))
        assert.deepStrictEqual(yield* listed(["queued"]), [tasks[0]?.id, tasks[2]?.id])
        assert.deepStrictEqual(
          yield* listed(["queued", "running"]),
          tasks.map(({ id }) => id)
        )
        assert.deepStrictEqual(yield* repo.withStatus([]), [])
      })
    )

    it.effect("lists final tasks that ended before a moment, longest ago first", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const owner = yield* (yield* People).newcomer
        const [first, second, open] = yield* createTasks(owner, [{}, {}, {}])
        const ids = [first, second, open].map((task) => task?.id ?? newTaskId())
        const ended: Array<Timestamp> = []
        for (const id of ids.slice(0, 2)) {
          yield* TestClock.adjust("1 hour")
          const { task } = yield* repo.change(id, TaskCommands.cancel)
          ended.push(task.finishedAt ?? task.createdAt)
        }
        const [hour, later] = ended
        const found = (before: Timestamp | undefined, limit = 100) =>
          Effect.map(repo.endedBefore(before ?? Timestamp.make("9999-01-01T00:00:00.000Z"), limit), (some) =>
            some.map(({ id }) => id).filter((id) => ids.includes(id))
          )
        assert.deepStrictEqual(yield* found(hour), [])
        assert.deepStrictEqual(yield* found(later), ids.slice(0, 1))
        assert.deepStrictEqual(yield* found(undefined), ids.slice(0, 2))
        assert.strictEqual((yield* repo.endedBefore(Timestamp.make("9999-01-01T00:00:00.000Z"), 1)).length, 1)
      })
    )

    it.effect("ends a list for a cursor that it never gave", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const task = yield* running()
        yield* repo.change(task.id, these(say("one"), startTool("a"), ask(newQuestionId())))
        for (const cursor of ["", "x", "%%%", "AAAA", "🙂", "MQ".repeat(5000)]) {
          const page = { limit: 5, cursor: Option.some(cursor) }
          const lists = yield* Effect.all([
            repo.list({ owner: task.owner }, page),
            repo.messages(task.id, page),
            repo.toolCalls(task.id, page),
            repo.questions({ task: task.id }, page)
          ])
          for (const list of lists) assert.deepStrictEqual(list, { items: [], nextCursor: null })
        }
      })
    )
  })
