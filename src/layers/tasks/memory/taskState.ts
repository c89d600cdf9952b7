/** What TaskRepoMemory keeps. Everything is immutable: a transaction that fails leaves the state before it. */
import { HashMap } from "effect"
import type { TaskId } from "../../../services/Ids.ts"
import type { Message, PendingMessage } from "../../../services/Message.ts"
import type { Day, Task, Timestamp, Usage } from "../../../services/Task.ts"
import type { Checkpoint, Question, Run, ToolCall } from "../../../services/TaskRepo.ts"
import { wordsOf } from "../phrases.ts"
import type { Traces } from "../TaskStorage.ts"

export interface StoredMessage {
  readonly message: Omit<Message, "superseded">
  readonly startsOver: boolean
  readonly line: number
}

export interface StoredCheckpoint {
  readonly checkpoint: Omit<Checkpoint, "superseded">
  readonly line: number
  /** How many messages there were when it was saved. */
  readonly messages: number
}

/** What a line has of its parent: so many of all messages and checkpoints, counted from the first. */
export interface Fork {
  readonly parent: number
  readonly messages: number
  readonly checkpoints: number
}

/** Everything about one task. */
export interface TaskRecord {
  readonly task: Task
  readonly runs: ReadonlyArray<Run>
  readonly messages: ReadonlyArray<StoredMessage>
  readonly pending: ReadonlyArray<PendingMessage>
  readonly toolCalls: ReadonlyArray<ToolCall>
  readonly checkpoints: ReadonlyArray<StoredCheckpoint>
  /** Where each line of work left its parent, by number; one without an entry has none. */
  readonly lines: ReadonlyMap<number, Fork>
  readonly log: string
  /** As `spell` gives them. */
  readonly searchable: ReadonlyArray<string>
}

/** One counted answer of the model. It outlives its task. */
export interface Cost {
  readonly owner: Task["owner"]
  readonly day: Day
  readonly repository: string
  readonly model: string
  readonly task: TaskId
  readonly usage: Usage
}

export interface TaskState {
  readonly records: HashMap.HashMap<TaskId, TaskRecord>
  readonly questions: ReadonlyArray<{ readonly position: number; readonly question: Question }>
  /** By task and response. */
  readonly costs: HashMap.HashMap<string, Cost>
}

export const empty: TaskState = { records: HashMap.empty(), questions: [], costs: HashMap.empty() }

/** Words in a row, without the differences that search does not see. */
export const spell = (words: ReadonlyArray<string>): string =>
  ` ${words.join(" ").normalize("NFD").replaceAll(/\p{M}/gu, "").toLowerCase()}`

const spellAll = (texts: ReadonlyArray<string>) => texts.map((text) => spell(wordsOf(text)))

export const insertTask =
  (task: Task, traces: Traces) =>
  (state: TaskState): TaskState => ({
    ...state,
    records: HashMap.set(state.records, task.id, {
      task,
      runs: [],
      messages: [],
      pending: [],
      toolCalls: [],
      checkpoints: [],
      lines: new Map(),
      log: traces.log,
      searchable: spellAll(traces.searchable)
    })
  })

export const updateRecord =
  (id: TaskId, update: (record: TaskRecord) => TaskRecord) =>
  (state: TaskState): TaskState => ({ ...state, records: HashMap.modify(state.records, id, update) })

export const updateTask = (task: Task, traces: Traces) =>
  updateRecord(task.id, (record) => ({
    ...record,
    task,
    log: record.log + traces.log,
    searchable: [...record.searchable, ...spellAll(traces.searchable)]
  }))

export const endRun = (task: Task, at: Timestamp) =>
  updateRecord(task.id, (record) => ({
    ...record,
    runs: record.runs.map((run) =>
      run.number === task.runNumber ? { ...run, endedAt: at, outcome: task.status } : run
    )
  }))

export const eraseTask =
  (id: TaskId) =>
  (state: TaskState): TaskState => ({
    ...state,
    records: HashMap.remove(state.records, id),
    questions: state.questions.filter(({ question }) => question.taskId !== id)
  })
