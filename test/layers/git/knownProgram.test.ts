import { NodeContext } from "@effect/platform-node"
import { FileSystem } from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Ref } from "effect"
import { unlessKnown } from "../../../src/layers/git/knownProgram.ts"

/** A directory with a git in it, and how often it was checked. */
const setUp = Effect.gen(function* () {
  const files = yield* FileSystem
  const directory = yield* files.makeTempDirectoryScoped()
  const git = `${directory}/git`
  yield* files.writeFileString(git, "one", { mode: 0o755 })
  const count = yield* Ref.make(0)
  const check = Ref.update(count, (before) => before + 1)
  return { files, directory, git, count, check, file: `${directory}/checked` }
})

describe("a program that passed its check", () => {
  // Seen to fail when the file was not compared, or not written.
  it.scoped("is not checked again until it is another one", () =>
    Effect.gen(function* () {
      const { check, count, directory, file, files, git } = yield* setUp
      const start = unlessKnown(file, directory, check)
      yield* start
      yield* start
      assert.strictEqual(yield* Ref.get(count), 1)
      yield* files.writeFileString(git, "another")
      yield* start
      assert.strictEqual(yield* Ref.get(count), 2)
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scoped("is checked each time until it passes", () =>
    Effect.gen(function* () {
      const { check, count, directory, file } = yield* setUp
      const failing = unlessKnown(file, directory, Effect.zipRight(check, Effect.fail("too old")))
      yield* Effect.flip(failing)
      yield* Effect.flip(failing)
      assert.strictEqual(yield* Ref.get(count), 2)
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scoped("is checked each time where it can't be found", () =>
    Effect.gen(function* () {
      const { check, count, directory, file } = yield* setUp
      const start = unlessKnown(file, `${directory}/nothing`, check)
      yield* start
      yield* start
      assert.strictEqual(yield* Ref.get(count), 2)
    }).pipe(Effect.provide(NodeContext.layer))
  )
})
