import { describe, expect, it } from "@effect/vitest"
import { Either } from "effect"
import { CommitId, MessageId, TaskId, UserId } from "../../src/services/Ids.ts"
import { defaultLimits, type Task, Timestamp } from "../../src/services/Task.ts"
import { begin } from "../../src/services/evolve.ts"
import {
  budgetFreed,
  byRun,
  cancel,
  credentialNeeded,
  type Decide,
  retry,
  rewind,
  say,
  signedIn,
  update
} from "../../src/services/TaskCommands.ts"
import { newQuestionId } from "../support/someTasks.ts"

const task: Task = begin(
  {
    id: TaskId.make("task_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
    owner: UserId.make("user_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
    scheduleId: null,
    title: "A title",
    prompt: "A prompt",
    repository: { url: "https://example.com/a/b", ref: null },
    branch: "errand/a-title-1",
    delivery: "branch",
    limits: defaultLimits,
    network: { mode: "none", hosts: [] },
    approvals: "never",
    model: "m",
    priority: 0,
    tags: [],
    secrets: [],
    startAt: null,
    expiresAt: null
  },
  Timestamp.make("2026-01-01T00:00:00.000Z")
)

const tags = <E>(decide: Decide<E>, changes: Partial<Task>) =>
  Either.map(decide({ ...task, ...changes }), (decided) => decided.map(({ _tag }) => _tag))

const shortOf = (limit: "task" | "day") =>
  ({ status: "paused", pausedReason: "budget_reached", pausedBudget: { limit, neededUsd: 1 } }) as const

describe("what people may do to a task", () => {
  it("cancel ends what has not ended, and leaves the rest alone", () => {
    for (const status of ["queued", "running", "waiting", "paused"] as const) {
      expect(tags(cancel, { status })).toEqual(Either.right(["Cancelled"]))
    }
    for (const status of ["completed", "failed", "cancelled"] as const) {
      expect(tags(cancel, { status })).toEqual(Either.right([]))
    }
  })

  it("retry starts what has ended badly or is paused", () => {
    for (const status of ["failed", "cancelled", "paused"] as const) {
      expect(tags(retry, { status })).toEqual(Either.right(["Queued"]))
    }
    for (const status of ["queued", "running", "waiting", "completed"] as const) {
      expect(tags(retry, { status })).toMatchObject({ _tag: "Left", left: { _tag: "NotNow", status } })
    }
  })

  it("a rewind starts whatever does not run, and closes what is asked", () => {
    const to = { commit: CommitId.make("1".repeat(40)), deliveredCommit: null }
    const question = { id: newQuestionId(), revision: 1, default: { decision: "deny" } } as const
    for (const status of ["completed", "failed", "cancelled", "paused", "waiting"] as const) {
      expect(tags(rewind(to, [], []), { status })).toEqual(Either.right(["Rewound", "Queued"]))
    }
    expect(tags(rewind(to, [], []), { status: "queued" })).toEqual(Either.right(["Rewound"]))
    expect(tags(rewind(to, [question], []), { status: "waiting" })).toEqual(
      Either.right(["QuestionClosed", "Rewound", "Queued"])
    )
    expect(tags(rewind(to, [], []), { status: "running" })).toMatchObject({ _tag: "Left", left: { _tag: "NotNow" } })
  })

  it("a credential resumes only what waits for one", () => {
    expect(tags(signedIn, { status: "paused", pausedReason: credentialNeeded })).toEqual(Either.right(["Queued"]))
    expect(tags(signedIn, { status: "paused", pausedReason: "budget_reached" })).toEqual(Either.right([]))
    expect(tags(signedIn, { status: "failed" })).toEqual(Either.right([]))
  })

  it("a message to a final task starts a follow-up", () => {
    const message = say(MessageId.make("msg_01ARZ3NDEKTSV4RRFFQ69G5FAV"), "queue", "More.")
    expect(tags(message, { status: "completed" })).toEqual(Either.right(["MessageQueued", "Queued"]))
    expect(tags(message, { status: "running" })).toEqual(Either.right(["MessageQueued"]))
  })

  it("only raising a limit resumes what a limit has paused", () => {
    const paused = { status: "paused", pausedReason: "turn_limit_reached" } as const
    expect(tags(update({ limits: { maxTurns: 101 } }), paused)).toEqual(Either.right(["Updated", "Queued"]))
    expect(tags(update({ limits: { maxTurns: 99 } }), paused)).toEqual(Either.right(["Updated"]))
    expect(tags(update({ title: "Another" }), paused)).toEqual(Either.right(["Updated"]))
    expect(tags(update({ limits: { maxTurns: 101 } }), { status: "running" })).toEqual(Either.right(["Updated"]))
  })

  it("only the limit that paused a task resumes it", () => {
    const raised = update({ limits: { maxCostUsd: task.limits.maxCostUsd + 1 } })
    expect(tags(raised, shortOf("task"))).toEqual(Either.right(["Updated", "Queued"]))
    expect(tags(raised, shortOf("day"))).toEqual(Either.right(["Updated"]))
    expect(tags(update({ limits: { maxTurns: 1_000 } }), shortOf("task"))).toEqual(Either.right(["Updated"]))
    expect(tags(budgetFreed, shortOf("day"))).toEqual(Either.right(["Queued"]))
    expect(tags(budgetFreed, shortOf("task"))).toEqual(Either.right([]))
    expect(tags(budgetFreed, { ...shortOf("day"), status: "cancelled" })).toEqual(Either.right([]))
  })

  it("a run that is not the current one may write nothing", () => {
    expect(tags(byRun(2, []), { status: "running", runNumber: 2 })).toEqual(Either.right([]))
    expect(tags(byRun(1, []), { status: "running", runNumber: 2 })).toMatchObject({ left: { _tag: "RunSuperseded" } })
    expect(tags(byRun(2, []), { status: "cancelled", runNumber: 2 })).toMatchObject({ left: { _tag: "RunSuperseded" } })
  })
})
