/** Drafts and changes for tests that care about one thing of them. */
import { Effect, Either } from "effect"
import { CommitId, QuestionId, ToolCallId, type UserId } from "../../src/services/Ids.ts"
import { defaultLimits, type TaskDraft } from "../../src/services/Task.ts"
import { TaskChange } from "../../src/services/TaskChange.ts"
import { TaskRepo } from "../../src/services/TaskRepo.ts"
import { newMessageId, newTaskId } from "./someEvents.ts"
import { People } from "./storageLayers.ts"

export const draftOf = (owner: UserId, part: Partial<TaskDraft> = {}): TaskDraft => ({
  id: newTaskId(),
  owner,
  scheduleId: null,
  title: "Fix the failing test",
  prompt: "One test fails; find out why and fix it.",
  repository: { url: "https://git.example.com/some/repository", ref: null },
  branch: "errand/fix-the-failing-test",
  delivery: "branch",
  limits: defaultLimits,
  network: { mode: "none", hosts: [] },
  approvals: "never",
  model: "scripted",
  priority: 0,
  tags: [],
  secrets: [],
  startAt: null,
  expiresAt: null,
  ...part
})

export const commit = (digit: string) => CommitId.make(digit.repeat(40))
export const toolCallId = (name: string) => ToolCallId.make(name)

let questions = 0
export const newQuestionId = () => QuestionId.make(`question_${`${++questions}`.padStart(26, "0")}`)

/** A decider that always wants the same. */
export const these =
  (...changes: ReadonlyArray<TaskChange>) =>
  (): Either.Either<ReadonlyArray<TaskChange>> =>
    Either.right(changes)

export const start = (run = 1) => TaskChange.RunStarted({ run, reason: "start" })

export const say = (text: string, role: "user" | "assistant" = "assistant") =>
  TaskChange.MessageAdded({
    messageId: newMessageId(),
    role,
    content: [{ type: "text", text }],
    delivers: [],
    startsOver: false
  })

export const startTool = (name: string, input: unknown = { command: "npm test" }) =>
  TaskChange.ToolStarted({ toolCallId: toolCallId(name), tool: "run_command", input })

export const finishTool = (name: string, output = "all passed") =>
  TaskChange.ToolFinished({
    toolCallId: toolCallId(name),
    isError: false,
    exitCode: 0,
    durationMs: 1200,
    output,
    bytes: output.length
  })

export const count = (responseId: string, costUsd = 0.01) =>
  TaskChange.ResponseCounted({
    responseId,
    model: "scripted",
    usage: { inputTokens: 100, outputTokens: 20, cacheReadTokens: 3, cacheWriteTokens: 4, costUsd }
  })

export const ask = (questionId: QuestionId, title = "Which one?") =>
  TaskChange.QuestionOpened({
    questionId,
    toolCallId: toolCallId("ask"),
    kind: "question",
    title,
    detail: "There are two.",
    choices: ["this", "that"],
    expiresAt: "2026-01-02T00:00:00.000Z",
    default: { decision: "deny" }
  })

export const close = (questionId: QuestionId, choice: string) =>
  TaskChange.QuestionClosed({
    questionId,
    revision: 1,
    outcome: "answered",
    answer: { decision: "allow", choice }
  })

/** A task of a new user, in its first run. */
export const running = Effect.fnUntraced(function* (part: Partial<TaskDraft> = {}) {
  const repo = yield* TaskRepo
  const owner = yield* (yield* People).newcomer
  const { task } = yield* repo.create(draftOf(owner, part))
  return (yield* repo.change(task.id, these(start()))).task
})
