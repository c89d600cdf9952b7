import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck, Schema } from "effect"
import { UserId } from "../../src/services/Ids.ts"
import { Task } from "../../src/services/Task.ts"
import { begin, evolve, isLegal } from "../../src/services/evolve.ts"
import { type ChangeOf, TaskChange } from "../../src/services/TaskChange.ts"
import { changesCard, toEvent } from "../../src/services/toEvent.ts"
import { TaskEvent } from "../../src/services/TaskEvent.ts"
import { isFinal, RunReason } from "../../src/services/TaskStatus.ts"
import { newMessageId } from "../support/someEvents.ts"
import {
  ask,
  close,
  commit,
  count,
  draftOf,
  finishTool,
  newQuestionId,
  say,
  start,
  startTool,
  toolCallId
} from "../support/someTasks.ts"

const owner = UserId.make(`user_${"0".repeat(26)}`)
const now = "2026-01-31T12:00:00.000Z"
const later = "2026-01-31T12:00:01.000Z"
const queued = begin(draftOf(owner), now)
const running = evolve(queued, start(), now)
const question = newQuestionId()

const pullRequest = {
  url: "https://forge.example/1",
  number: 1,
  state: "open",
  draft: true,
  checks: "none",
  review: "none"
} as const

/** One of each kind. */
const examples: { readonly [Tag in TaskChange["_tag"]]: ChangeOf<Tag> } = {
  Created: TaskChange.Created({ draft: draftOf(owner) }),
  Queued: TaskChange.Queued({ reason: "recovery" }),
  RunStarted: start(),
  SandboxReady: TaskChange.SandboxReady(),
  RepositoryReady: TaskChange.RepositoryReady({ baseCommit: commit("a") }),
  MessageAdded: say("hello"),
  MessageQueued: TaskChange.MessageQueued({ messageId: newMessageId(), mode: "steer", content: "faster" }),
  MessageWithdrawn: TaskChange.MessageWithdrawn({ messageId: newMessageId() }),
  ToolStarted: startTool("t"),
  ToolFinished: finishTool("t"),
  CheckpointSaved: TaskChange.CheckpointSaved({ commit: commit("b"), files: 1, additions: 2, deletions: 3 }),
  Rewound: TaskChange.Rewound({ checkpoint: commit("b"), deliveredCommit: null }),
  ResponseCounted: count("r"),
  QuestionOpened: ask(question),
  QuestionClosed: close(question, "this"),
  RetryScheduled: TaskChange.RetryScheduled({ code: "overloaded", message: "Later.", attempt: 1, delayMs: 500 }),
  NetworkBlocked: TaskChange.NetworkBlocked({ host: "example.com", reason: "not allowed" }),
  DeliveryStarted: TaskChange.DeliveryStarted(),
  CiChanged: TaskChange.CiChanged({ paths: [".github/workflows/check.yml"] }),
  BranchPushed: TaskChange.BranchPushed({ branch: "errand/x", commit: commit("c") }),
  PullRequestOpened: TaskChange.PullRequestOpened({ pullRequest }),
  PullRequestChanged: TaskChange.PullRequestChanged({
    pullRequest: { ...pullRequest, state: "merged", draft: false, checks: "passed", review: "approved" }
  }),
  Updated: TaskChange.Updated({ patch: { title: "new", tags: ["a"] } }),
  Worked: TaskChange.Worked({ ms: 5 }),
  Waiting: TaskChange.Waiting({ questionId: question }),
  Paused: TaskChange.Paused({ reason: "budget_reached" }),
  Resumed: TaskChange.Resumed(),
  Completed: TaskChange.Completed(),
  Failed: TaskChange.Failed({ error: { code: "broken", message: "It broke." } }),
  Cancelled: TaskChange.Cancelled()
}

const changes: ReadonlyArray<TaskChange> = Object.values(examples)

/** Changes that move a task, each with what it needs; a run counts up from wherever it is. */
const moves = FastCheck.array(
  FastCheck.oneof(
    FastCheck.constantFrom(...RunReason.literals).map((reason) => TaskChange.Queued({ reason })),
    FastCheck.integer({ min: 1, max: 9 }).map((run) => TaskChange.RunStarted({ run, reason: "start" })),
    FastCheck.constantFrom(
      examples.Waiting,
      examples.Resumed,
      examples.Paused,
      examples.Completed,
      examples.Failed,
      examples.Cancelled
    )
  ),
  { maxLength: 40 }
)

const fixed = (task: Task) => [task.id, task.owner, task.prompt, task.repository, task.branch, task.createdAt]

describe("evolve", () => {
  it("keeps every task whole, whatever legal changes come in whatever order", () => {
    FastCheck.assert(
      FastCheck.property(moves, (some) => {
        const end = some.reduce<Task>((task, change) => {
          if (!isLegal(task, change)) return task
          const after = evolve(task, change, later)
          const runs = after.status === "running" || after.status === "waiting"
          assert.strictEqual(after.finishedAt !== null, isFinal(after.status), "finishedAt")
          assert.strictEqual(after.error !== null, after.status === "failed", "error")
          assert.strictEqual(after.pausedReason !== null, after.status === "paused", "pausedReason")
          assert.strictEqual(after.phase !== null, runs, "phase")
          if (runs) assert.isTrue(after.runNumber > 0 && after.runStartedAt !== null && after.startedAt !== null)
          return after
        }, queued)
        assert.isTrue(Schema.is(Task)(end))
      })
    )
  })

  it("never changes what a task is made of, but by its owner's word", () => {
    for (const change of changes.filter(({ _tag }) => _tag !== "Created")) {
      assert.deepStrictEqual(fixed(evolve(running, change, later)), fixed(running), change._tag)
    }
  })

  it("counts recoveries in a row, until a step is done or somebody tries again", () => {
    const recovered = [1, 2].reduce((task) => evolve(task, examples.Queued, now), running)
    assert.strictEqual(recovered.recoveries, 2)
    for (const step of [examples.MessageAdded, examples.ToolFinished, examples.CheckpointSaved]) {
      assert.strictEqual(evolve(recovered, step, later).recoveries, 0)
    }
    const calls = TaskChange.MessageAdded({
      ...examples.MessageAdded,
      content: [{ type: "tool_use", id: toolCallId("t"), name: "run_command", input: {} }]
    })
    for (const noStep of [calls, say("go on", "user"), examples.ToolStarted, examples.ResponseCounted]) {
      assert.strictEqual(evolve(recovered, noStep, later).recoveries, 2)
    }
    assert.strictEqual(evolve(recovered, TaskChange.Queued({ reason: "retry" }), later).recoveries, 0)
    assert.strictEqual(evolve(recovered, TaskChange.Queued({ reason: "shutdown" }), later).recoveries, 2)
  })

  it("adds up usage, turns and time of work", () => {
    const after = [count("a", 0.1), count("b", 0.2), say("x"), say("y", "user"), examples.Worked].reduce<Task>(
      (task, change) => evolve(task, change, later),
      running
    )
    assert.deepInclude(after, { turns: 1, workedMs: 5 })
    assert.strictEqual(after.usage.costUsd, 0.3)
  })
})

describe("toEvent", () => {
  it("tells observers of every change but time of work, in the words of the contract", () => {
    for (const change of changes) {
      const event = toEvent(evolve(running, change, later), change)
      if (change._tag === "Worked") assert.isNull(event)
      else assert.isTrue(Schema.is(TaskEvent)(event), change._tag)
    }
  })

  it.effect.prop(
    "stays small and valid, however much was said",
    [FastCheck.string(), FastCheck.nat(60)],
    ([text, times]) =>
      Effect.sync(() => {
        const long = text.repeat(times * 99)
        for (const change of [finishTool("t", long), startTool("t", { a: [long], b: { c: long } }), say(long)]) {
          const event = toEvent(running, change)
          assert.isTrue(Schema.is(TaskEvent)(event))
          const body = event?.type === "tool.finished" ? event.output.head + event.output.tail : JSON.stringify(event)
          assert.isBelow(Buffer.byteLength(body), 8_500)
        }
      })
  )
})

/** What a list shows of a task, but for its costs: those may lag behind. */
const shown = ({ branch, error, finishedAt, pausedReason, phase, pullRequest, startedAt, status, tags, title }: Task) =>
  JSON.stringify([branch, error, finishedAt, pausedReason, phase, pullRequest, startedAt, status, tags, title])

describe("changesCard", () => {
  it("is true of every change after which a list looks different", () => {
    for (const change of changes) {
      if (shown(evolve(running, change, later)) !== shown(running)) assert.isTrue(changesCard(change), change._tag)
    }
  })
})
