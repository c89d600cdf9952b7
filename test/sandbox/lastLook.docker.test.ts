/** What a sandbox does not tell of its edits is saved all the same before the work counts as done. */
import { assert, it } from "@effect/vitest"
import { DateTime, Effect, Layer, Logger, LogLevel, MutableRef, Ref } from "effect"
import { noCommits, save, saveForSure, type Workplace } from "../../src/agent/checkpoint.ts"
import type { TaskRun } from "../../src/agent/TaskRun.ts"
import { layOut } from "../../src/agent/workspace.ts"
import { begin, evolve } from "../../src/services/evolve.ts"
import { GitStore } from "../../src/services/GitStore.ts"
import { noMask } from "../../src/services/masking.ts"
import { type Task, Timestamp } from "../../src/services/Task.ts"
import { TaskChange } from "../../src/services/TaskChange.ts"
import { dockerSandbox } from "../support/dockerSandbox.ts"
import { describeWithEngine } from "../support/engine.ts"
import { gitStoreLayer, owner } from "../support/gitStore.ts"
import { openSandbox, sh } from "../support/sandboxContract.ts"
import { draftOf } from "../support/someTasks.ts"
import { branch, remoteWith } from "../support/workplace.ts"

const runOf = (task: MutableRef.MutableRef<Task>, now: Timestamp): TaskRun => ({
  number: 1,
  task: Effect.sync(() => MutableRef.get(task)),
  record: (changes) =>
    Effect.sync(() =>
      MutableRef.setAndGet(
        task,
        changes.reduce((before, change) => evolve(before, change, now), MutableRef.get(task))
      )
    ),
  recordChosen: () => Effect.dieMessage("a look pauses nothing"),
  lap: Effect.succeed(TaskChange.Worked({ ms: 0 })),
  skipLap: Effect.void,
  mayHavePending: MutableRef.make(false),
  interrupts: new Set(),
  secrets: [],
  mask: noMask
})

describeWithEngine("the last look at a work tree", () => {
  const layer = dockerSandbox("test-last-look").pipe(
    Layer.provideMerge(gitStoreLayer({ allowLocal: true })),
    Layer.provideMerge(Logger.minimumLogLevel(LogLevel.Warning))
  )

  // Seen to fail with the tree taken for saved after a checkpoint of edits.
  it.scopedLive(
    "finds a file that is not excluded any more, beside one that was edited",
    () =>
      Effect.gen(function* () {
        const store = yield* GitStore
        const { base, key } = yield* remoteWith({ "README.md": "# App\n" })
        const now = Timestamp.make(DateTime.formatIso(yield* DateTime.now))
        const draft = draftOf(owner, { repository: { url: key.url, ref: null } })
        const task = MutableRef.make<Task>({ ...begin(draft, now), baseCommit: base })
        const run = runOf(task, now)
        const sandbox = yield* openSandbox
        if (base === null) return yield* Effect.dieMessage("the remote is empty")
        yield* layOut(sandbox, { branch, base, files: base, pack: store.pack(key, [base], []) })
        yield* Effect.zipRight(sandbox.treeChanged, sandbox.edits)
        const tree = yield* Ref.make<"saved" | "untold" | "touched">("saved")
        const place: Workplace = { sandbox, key, tree, commits: yield* Ref.make(noCommits(base)) }
        const step = (script: string) =>
          Effect.all([sandbox.run(sh(script)), Ref.set(tree, "touched"), save(run, place, [], [])], { discard: true })
        const fileAt = (name: string) => {
          const { headCommit } = MutableRef.get(task)
          return headCommit === null ? Effect.succeedNone : store.readFile(key, headCommit, name, 100)
        }

        yield* step("echo found >> .git/info/exclude; echo x > found")
        yield* step(": > .git/info/exclude; echo more >> README.md")
        assert.isTrue((yield* Ref.get(place.commits)).ahead !== null, "a checkpoint of edits was made")
        yield* saveForSure(run, place)
        assert.strictEqual((yield* fileAt("found"))._tag, "Some")
        assert.strictEqual((yield* fileAt("README.md"))._tag, "Some")
        const { headCommit } = MutableRef.get(task)
        yield* saveForSure(run, place)
        assert.strictEqual(MutableRef.get(task).headCommit, headCommit)
      }).pipe(Effect.provide(layer)),
    60_000
  )
})
