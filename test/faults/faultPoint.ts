/**
 * Named points between two effects of the server, where a test build can be made to die, fail, dawdle or lose something.
 *
 * Owns: the plan (one fault for one life of the process, from the environment), and the trace of the points passed.
 * Does not own: where the points are (the files beside this one, each in the place of a module of `src/`), which of them
 * a task passes and what may happen there (`catalogue.ts`).
 */
import { Effect } from "effect"
import { appendFileSync } from "node:fs"
import type { Action } from "./catalogue.ts"

/** The fault of this life: a point, an action, and at the how many-th passing, from 1. `git.push:before crash 1`. */
export const planVariable = "ERRAND_TEST_FAULT"
/** A file that gets a line with the name of every point passed, and `! <point>` where the fault struck. */
export const traceVariable = "ERRAND_TEST_FAULT_TRACE"

const delayMs = 1_500
const [plannedPoint, plannedAction, plannedAt] = (process.env[planVariable] ?? "").split(" ")
const trace = process.env[traceVariable]
const passed = new Map<string, number>()

const note = (line: string) => {
  if (trace !== undefined) appendFileSync(trace, `${line}\n`)
}

/** Passes a point and says what is to happen there; a crash happens at once. */
const pass = (name: string): Action | undefined => {
  note(name)
  const times = (passed.get(name) ?? 0) + 1
  passed.set(name, times)
  if (name !== plannedPoint || times !== Number(plannedAt)) return undefined
  note(`! ${name}`)
  switch (plannedAction) {
    case "crash":
      process.kill(process.pid, "SIGKILL")
      return undefined
    case "fail":
    case "delay":
    case "drop":
      return plannedAction
    default:
      throw new Error(`${planVariable} names no action: ${plannedAction}`)
  }
}

/** A point; `failure` is what happens there when it fails, and nothing ever does when it drops what it has. */
export const point = <E = never>(name: string, failure?: Effect.Effect<never, E>): Effect.Effect<void, E> =>
  Effect.suspend((): Effect.Effect<void, E> => {
    switch (pass(name)) {
      case "fail":
        return failure ?? Effect.dieMessage(`${name} can't fail`)
      case "delay":
        return Effect.sleep(delayMs)
      case "drop":
        return Effect.never
      case "crash":
      case undefined:
        return Effect.void
    }
  })

/** The points before and after an effect. */
export const around = <A, E, R, E1 = never>(
  name: string,
  effect: Effect.Effect<A, E, R>,
  failure?: Effect.Effect<never, E1>
): Effect.Effect<A, E | E1, R> =>
  point(`${name}:before`, failure).pipe(Effect.zipRight(effect), Effect.zipLeft(point(`${name}:after`, failure)))

/** A point outside of Effect. */
export const passing = (name: string, on: () => void, fail: () => void): void => {
  const action = pass(name)
  if (action === "delay") setTimeout(on, delayMs)
  else if (action === "fail") fail()
  else if (action !== "drop") on()
}
