/** A run as a trace of its own: the runs of a task have its id in common. */
import { Effect } from "effect"
import type { Task } from "../services/Task.ts"
import { type Attributes, traced } from "../services/traced.ts"
import type { TaskRun } from "./TaskRun.ts"

const outcome = ({ error, pausedReason, status, usage }: Task): Attributes => ({
  // Still running where another run has taken over, or somebody has cancelled it.
  "errand.run.outcome": status === "running" ? "superseded" : status,
  "errand.task.cost_usd": usage.costUsd,
  ...(pausedReason === null ? {} : { "errand.task.paused_reason": pausedReason }),
  ...(error === null ? {} : { "error.type": error.code })
})

/** Every span inside says which task and run it belongs to. */
export const traceRun =
  (run: TaskRun, { id, model }: Task) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    traced(
      "run",
      {
        root: true,
        kind: "consumer",
        attributes: {
          "gen_ai.operation.name": "invoke_agent",
          "gen_ai.agent.name": "errand",
          "gen_ai.request.model": model
        }
      },
      (note) => Effect.onExit(effect, () => Effect.map(run.task, (task) => note(outcome(task))))
    ).pipe(Effect.annotateSpans({ "errand.task.id": id, "errand.run": run.number, "gen_ai.conversation.id": id }))
