/**
 * Processes of this host that left their process group, found by a mark in the environment they were started with.
 *
 * Only where there is a /proc; elsewhere the group is all that can be found. A process that clears its environment and
 * loses its parents is not found either: `SandboxProcess` isolates nothing.
 */
import { Clock, Effect } from "effect"
import { readdirSync, readFileSync } from "node:fs"

/** Name of the variable that carries the mark. */
export const markVariable = "ERRAND_COMMAND"

const killingMs = 2_000

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, "latin1")
  } catch {
    // Gone in the meantime, or not ours to see.
    return undefined
  }
}

interface Status {
  readonly parent: number
  readonly session: number
}

const statusOf = (pid: string): Status | undefined => {
  const found = /\) (\S) (\d+) \d+ (\d+)/.exec(read(`/proc/${pid}/stat`) ?? "")
  return found === null || found[1] === "Z" || found[1] === "X"
    ? undefined
    : { parent: Number(found[2]), session: Number(found[3]) }
}

const processes = (): ReadonlyArray<string> => {
  try {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && name !== `${process.pid}`)
  } catch {
    return []
  }
}

/** The marked processes, the ones in `session`, and their descendants. `mark` may be the beginning of a mark. */
const find = (mark: string, session: number | undefined): ReadonlyArray<number> => {
  const wanted = Buffer.from(`\0${markVariable}=${mark}`).toString("latin1")
  const found = new Set<number>()
  const parents = new Map<number, number>()
  for (const name of processes()) {
    const status = statusOf(name)
    if (status === undefined) continue
    parents.set(Number(name), status.parent)
    const marked = () => `\0${read(`/proc/${name}/environ`) ?? ""}`.includes(wanted)
    if (status.session === session || marked()) found.add(Number(name))
  }
  for (let size = -1; size < found.size;) {
    size = found.size
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid)
  }
  return [...found]
}

/** True when there was somebody to get the signal; a negative number names a process group. */
export const signal = (pid: number, name: NodeJS.Signals | 0): boolean => {
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
}

/** Kills until none is found; gives up after two seconds. */
export const killMarked = Effect.fnUntraced(function* (mark: string, session?: number) {
  const began = yield* Clock.currentTimeMillis
  while ((yield* Clock.currentTimeMillis) - began < killingMs) {
    const pids = find(mark, session)
    if (pids.length === 0) return
    // Stopped first, so that a storm of forks can't outrun the kills.
    for (const pid of pids) signal(pid, "SIGSTOP")
    for (const pid of pids) signal(pid, "SIGKILL")
    yield* Effect.sleep("2 millis")
  }
})
