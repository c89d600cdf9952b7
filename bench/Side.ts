/** One of the two that are compared, as a round sees it. */
import type { Written } from "./conversations.ts"

/** One task to do. */
export interface Job {
  readonly prompt: string
  readonly steps: number
}

/** What came of tasks. */
export interface Outcome {
  /** For each task, when how much of the last answer's text had come to its reader. */
  readonly received: ReadonlyArray<ReadonlyArray<Written>>
  /** Fails when what should be left of the tasks is not there. */
  readonly check: () => Promise<void>
}

export interface Side {
  readonly name: "loop" | "errand"
  /** The process whose time and memory count. */
  readonly pid: number
  /** Milliseconds from the start of the process until it answers. */
  readonly startMs: number
  /** Does tasks at once. `seen`: their containers have been looked at, and may be removed. */
  readonly doTasks: (jobs: ReadonlyArray<Job>, seen: Promise<unknown>) => Promise<Outcome>
  /** Labels (`name=value`) of the containers that it made last. */
  readonly labels: () => ReadonlyArray<string>
  readonly stop: () => Promise<void>
}
