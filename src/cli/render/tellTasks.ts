/** A list of tasks, one line each. */
import type { TaskView } from "../../http/api/TaskView.ts"
import type { TaskStatus } from "../../services/TaskStatus.ts"
import { codeLine, type Line, line, span, type Style } from "./Line.ts"
import { safeLine } from "./safeText.ts"

const styles: Readonly<Record<TaskStatus, Style>> = {
  queued: "quiet",
  running: "accent",
  waiting: "warning",
  paused: "warning",
  completed: "good",
  failed: "bad",
  cancelled: "quiet"
}

const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000]
] as const

/** One unit is enough to find a task again. */
const age = (ms: number): string => {
  const [unit, length] = units.find(([, length]) => ms >= length) ?? ["s", 1_000]
  return `${Math.max(0, Math.floor(ms / length))} ${unit}`
}

const detail = ({ error, pausedReason, phase, position, status }: TaskView): string => {
  if (status === "failed") return error?.code ?? ""
  if (status === "paused") return pausedReason ?? ""
  if (status === "queued") return position === null ? "" : `${position} before it`
  return status === "running" ? (phase ?? "") : ""
}

/** `now` is milliseconds since 1970. */
export const tellTasks = (tasks: ReadonlyArray<TaskView>, now: number): ReadonlyArray<Line> =>
  tasks.length === 0
    ? [line(span("no tasks", "quiet"))]
    : tasks.map((task) => {
        const more = detail(task)
        return codeLine(
          span(task.id, "quiet"),
          "  ",
          span(task.status.padEnd(9), styles[task.status]),
          "  ",
          span(age(now - Date.parse(task.createdAt)).padStart(6), "quiet"),
          "  ",
          safeLine(task.title),
          span(more === "" ? "" : ` (${safeLine(more)})`, "quiet"),
          span(`  ${safeLine(task.repository.url)}`, "quiet")
        )
      })
