/** Every point that the task of the walk passes, and what may happen there. */

/**
 * `crash`: SIGKILL. `fail`: the place's own error. `delay`: 1.5 s. `drop`: what is on its way is lost, and who waits for
 * it hears nothing.
 */
export type Action = "crash" | "fail" | "delay" | "drop"

export interface FaultPoint {
  readonly name: string
  readonly actions: ReadonlyArray<Action>
  /** Passed many times: it is also struck in the middle of the work. */
  readonly often: boolean
  /** Passed again by a server that takes up what a dead one left: it is also struck there. */
  readonly inRecovery: boolean
}

type When = "once" | "often" | "also in recovery"

const points = (names: ReadonlyArray<string>, actions: ReadonlyArray<Action>, when: When): ReadonlyArray<FaultPoint> =>
  names.map((name) => ({ name, actions, often: when === "often", inRecovery: when === "also in recovery" }))

const bothSides = (names: ReadonlyArray<string>, actions: ReadonlyArray<Action>, when: When) =>
  points(
    names.flatMap((name) => [`${name}:before`, `${name}:after`]),
    actions,
    when
  )

/** A commit is named after the events that it stores; a full disk makes it fail. */
const commits = (types: ReadonlyArray<string>, when: When) => [
  ...points(
    types.map((type) => `commit.${type}:before`),
    ["crash", "fail", "delay"],
    when
  ),
  ...points(
    types.map((type) => `commit.${type}:after`),
    ["crash", "delay"],
    when
  )
]

const all = ["crash", "fail", "delay", "drop"] as const
const withFailure = ["crash", "fail", "delay"] as const
const neverFails = ["crash", "delay"] as const

export const catalogue: ReadonlyArray<FaultPoint> = [
  ...commits(
    [
      "task.created",
      "sandbox.ready",
      "question.opened",
      "task.waiting",
      "question.closed",
      "task.resumed",
      "delivery.started",
      "branch.pushed",
      "pull_request.opened",
      "task.completed",
      "lease.released"
    ],
    "once"
  ),
  ...commits(["message.added", "usage.updated", "tool.started", "tool.finished", "checkpoint.saved"], "often"),
  ...commits(["run.started", "repository.ready"], "also in recovery"),

  ...bothSides(["queue.recover"], neverFails, "also in recovery"),
  ...points(["queue.taken"], neverFails, "also in recovery"),
  ...points(["queue.wake"], withFailure, "once"),

  ...bothSides(["sandbox.sweep"], withFailure, "also in recovery"),
  ...bothSides(["engine.list", "engine.volumes"], all, "also in recovery"),
  ...bothSides(["engine.create", "engine.attach", "engine.start", "engine.remove"], all, "also in recovery"),

  ...bothSides(["sandbox.layOut"], withFailure, "also in recovery"),
  ...bothSides(["sandbox.readFile", "sandbox.writeFile"], withFailure, "once"),
  ...bothSides(["sandbox.command"], withFailure, "often"),
  ...bothSides(["sandbox.snapshot", "sandbox.collect"], withFailure, "once"),
  ...bothSides(["sandbox.close"], neverFails, "once"),

  ...bothSides(["git.ls-remote", "git.init", "git.fetch"], withFailure, "once"),
  ...bothSides(["git.pack-objects"], withFailure, "also in recovery"),
  ...bothSides(["git.receive-pack", "git.commit-tree", "git.update-ref", "git.push", "git.diff"], withFailure, "once"),

  ...bothSides(["forge.find", "forge.open"], withFailure, "once"),

  ...points(["model.request"], withFailure, "often"),
  ...points(["model.words"], ["crash", "drop"], "often"),
  ...points(["model.answer"], neverFails, "often")
]
