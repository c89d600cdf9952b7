/** What a change says of runs, messages, tool calls, checkpoints, questions and costs, in memory. */
import { HashMap, Option } from "effect"
import { dayOf, type Task, type Timestamp } from "../../../services/Task.ts"
import type { ChangeOf, TaskChange } from "../../../services/TaskChange.ts"
import type { Question, ToolCall } from "../../../services/TaskRepo.ts"
import { type TaskRecord, type TaskState, updateRecord } from "./taskState.ts"

type Recorded = readonly [happened: boolean, state: TaskState]

const replaceOrAdd = (calls: ReadonlyArray<ToolCall>, call: ToolCall): ReadonlyArray<ToolCall> =>
  calls.some(({ id }) => id === call.id) ? calls.map((it) => (it.id === call.id ? call : it)) : [...calls, call]

/** Everything about the task but what may come too late. */
const addTo = (
  record: TaskRecord,
  { deliveredCommit, line, runNumber: run }: Task,
  change: TaskChange,
  at: Timestamp
): TaskRecord => {
  switch (change._tag) {
    case "RunStarted": {
      const started = { number: change.run, reason: change.reason, startedAt: at, endedAt: null, outcome: null }
      return { ...record, runs: [...record.runs, started] }
    }
    case "MessageAdded": {
      const message = { id: change.messageId, role: change.role, content: change.content, createdAt: at }
      return {
        ...record,
        messages: [...record.messages, { message, startsOver: change.startsOver, line }],
        pending: record.pending.filter(({ id }) => !change.delivers.includes(id))
      }
    }
    case "MessageQueued": {
      const message = { id: change.messageId, mode: change.mode, content: change.content, createdAt: at }
      return { ...record, pending: [...record.pending, message] }
    }
    case "ToolStarted": {
      const { input, tool, toolCallId } = change
      const unfinished = {
        output: null,
        bytes: null,
        isError: null,
        exitCode: null,
        finishedAt: null,
        durationMs: null
      }
      const call = { id: toolCallId, run, tool, input: input ?? null, startedAt: at, ...unfinished }
      return { ...record, toolCalls: replaceOrAdd(record.toolCalls, call) }
    }
    case "ToolFinished": {
      const { bytes, durationMs, exitCode, isError, output } = change
      const result = { output, bytes, isError, exitCode, durationMs, finishedAt: at }
      return {
        ...record,
        toolCalls: record.toolCalls.map((call) => (call.id === change.toolCallId ? { ...call, ...result } : call))
      }
    }
    case "CheckpointSaved": {
      const { additions, commit, deletions, files } = change
      const checkpoint = { commit, run, files, additions, deletions, deliveredCommit, createdAt: at }
      const saved = { checkpoint, line, messages: record.messages.length }
      return { ...record, checkpoints: [...record.checkpoints, saved] }
    }
    case "Rewound": {
      const index = record.checkpoints.findLastIndex(({ checkpoint }) => checkpoint.commit === change.checkpoint)
      const from = record.checkpoints[index]
      if (from === undefined) return record
      const fork = { parent: from.line, messages: from.messages, checkpoints: index + 1 }
      return { ...record, lines: new Map([...record.lines, [line, fork]]) }
    }
    default:
      return record
  }
}

const countResponse = (state: TaskState, task: Task, change: ChangeOf<"ResponseCounted">, at: Timestamp): Recorded => {
  const key = `${task.id} ${change.responseId}`
  if (HashMap.has(state.costs, key)) return [false, state]
  const { owner, repository } = task
  const { model, usage } = change
  const cost = { owner, repository: repository.url, day: dayOf(at), model, task: task.id, usage }
  return [true, { ...state, costs: HashMap.set(state.costs, key, cost) }]
}

const withdraw = (state: TaskState, task: Task, change: ChangeOf<"MessageWithdrawn">): Recorded => {
  const isPending = Option.exists(HashMap.get(state.records, task.id), ({ pending }) =>
    pending.some(({ id }) => id === change.messageId)
  )
  const remove = updateRecord(task.id, (record) => ({
    ...record,
    pending: record.pending.filter(({ id }) => id !== change.messageId)
  }))
  return isPending ? [true, remove(state)] : [false, state]
}

const openQuestion = (state: TaskState, task: Task, change: ChangeOf<"QuestionOpened">, at: Timestamp): TaskState => {
  const question: Question = {
    id: change.questionId,
    taskId: task.id,
    owner: task.owner,
    toolCallId: change.toolCallId,
    commit: change.commit ?? null,
    revision: 1,
    kind: change.kind,
    title: change.title,
    detail: change.detail,
    choices: change.choices,
    default: change.default,
    status: "open",
    answer: null,
    expiresAt: change.expiresAt,
    createdAt: at,
    closedAt: null
  }
  const position = (state.questions.at(-1)?.position ?? 0) + 1
  return { ...state, questions: [...state.questions, { position, question }] }
}

const closeQuestion = (state: TaskState, task: Task, change: ChangeOf<"QuestionClosed">, at: Timestamp): Recorded => {
  const isIt = (it: Question) => it.id === change.questionId && it.taskId === task.id && it.status === "open"
  if (!state.questions.some(({ question }) => isIt(question))) return [false, state]
  const closed = { status: change.outcome, answer: change.answer, closedAt: at }
  const questions = state.questions.map(({ position, question }) => ({
    position,
    question: isIt(question) ? { ...question, ...closed, revision: question.revision + 1 } : question
  }))
  return [true, { ...state, questions }]
}

/** False when the change comes too late to have happened (`TaskStorage.record`). */
export const recordChange =
  (task: Task, change: TaskChange, at: Timestamp) =>
  (state: TaskState): Recorded => {
    switch (change._tag) {
      case "ResponseCounted":
        return countResponse(state, task, change, at)
      case "QuestionOpened":
        return [true, openQuestion(state, task, change, at)]
      case "QuestionClosed":
        return closeQuestion(state, task, change, at)
      case "MessageWithdrawn":
        return withdraw(state, task, change)
      default:
        return [true, updateRecord(task.id, (record) => addTo(record, task, change, at))(state)]
    }
  }
