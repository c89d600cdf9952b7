/** A run whose sandbox can't be had at once. */
import { expect, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import * as SandboxProcess from "../../src/layers/SandboxProcess.ts"
import { Sandbox, SandboxUnavailable } from "../../src/services/Sandbox.ts"
import { commitFiles, makeBare } from "../support/gitRepository.ts"
import { appLayer, finished, submit, temporaryDirectory } from "../support/wholeApp.ts"

/** The first attempt to open one fails when it has taken something already. `taken` has what was not given back yet. */
const slowToStart = (taken: Set<number>, sawTaken: (attempts: ReadonlyArray<number>) => void) => {
  let attempts = 0
  return Layer.map(SandboxProcess.layer, (context) => {
    const sandbox = Context.get(context, Sandbox)
    const open: typeof sandbox.open = Effect.fnUntraced(function* (spec) {
      const attempt = ++attempts
      yield* Effect.acquireRelease(
        Effect.sync(() => taken.add(attempt)),
        () => Effect.sync(() => taken.delete(attempt))
      )
      sawTaken([...taken])
      if (attempt === 1) return yield* new SandboxUnavailable({ reason: "engine", detail: "it is starting" })
      return yield* sandbox.open(spec)
    })
    return Context.add(context, Sandbox, { ...sandbox, open })
  })
}

// Seen to fail with every attempt in the scope of the run: sockets, devices and containers were kept to its end.
it.scopedLive("a run keeps nothing of a sandbox that could not be opened", () =>
  Effect.gen(function* () {
    const directory = yield* temporaryDirectory
    const remote = `${directory}/remote.git`
    yield* makeBare(remote)
    yield* commitFiles(remote, { "README.md": "Sums.\n" })
    const taken = new Set<number>()
    const seen: Array<ReadonlyArray<number>> = []
    const app = appLayer({
      dataDir: `${directory}/data`,
      script: { scenarios: [{ name: "main", steps: [{ text: "There is nothing to do." }] }] },
      sandbox: slowToStart(taken, (attempts) => seen.push(attempts))
    })
    const { task } = yield* Effect.flatMap(submit(remote), ({ id }) => finished(id)).pipe(Effect.provide(app))
    expect(task.status).toBe("completed")
    expect(seen).toEqual([[1], [2]])
    expect([...taken]).toEqual([])
  })
)
