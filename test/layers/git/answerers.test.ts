import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Ask, makeAsk } from "../../../src/layers/git/answerers.ts"
import { makeForkingShell } from "../../../src/layers/git/forkingShell.ts"
import { makeGit } from "../../../src/layers/git/process.ts"
import { gitText, makeBare } from "../../support/gitRepository.ts"

const environment = { PATH: process.env["PATH"] ?? "/usr/bin:/bin" }

const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "errand answerers "))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/** A header, the content, and a line break. */
const lengthOf = (said: Buffer) => {
  const end = said.indexOf("\n") + 1
  return end === 0 ? undefined : end + Number(said.toString("latin1", 0, end).split(" ")[2]) + 1
}

const contentOf = (ask: Ask, path: string, id: string) =>
  Effect.map(ask(path, "objects", `${id}\n`, lengthOf), (said) => said.toString().split("\n")[1])

const contents = Array.from({ length: 20 }, (_, number) => `content ${number} ${"x".repeat(number * 1000)}`)

const make = Effect.gen(function* () {
  const directory = yield* temporaryDirectory
  const path = join(directory, "bare.git")
  yield* makeBare(path)
  const ids = yield* Effect.forEach(contents, (content) => gitText(path, ["hash-object", "-w", "--stdin"], content))
  const git = makeGit(environment, yield* makeForkingShell(environment, join(directory, "calls")))
  return { ask: yield* makeAsk(git, "10 seconds"), ids, path }
})

describe("a git that answers questions", () => {
  // Seen to fail without the semaphore: the second question took the place of the first.
  it.scopedLive("answers all who ask at once, each what he has asked", () =>
    Effect.gen(function* () {
      const { ask, ids, path } = yield* make
      const answers = yield* Effect.forEach(ids, (id) => contentOf(ask, path, id), { concurrency: "unbounded" })
      assert.deepStrictEqual(answers, contents)
    })
  )

  // Seen to fail without `Spoiled`: who waited behind got the rest of the answer that nobody waited for any more.
  it.scopedLive("gives nobody the answer of one who was given up", () =>
    Effect.gen(function* () {
      const { ask, ids, path } = yield* make
      const [first = "", second = "", third = ""] = ids
      yield* contentOf(ask, path, first)
      const givenUp = yield* Effect.fork(contentOf(ask, path, third))
      const behind = yield* Effect.fork(contentOf(ask, path, second))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(givenUp)
      assert.isTrue(Exit.isInterrupted(yield* Fiber.await(givenUp)))
      assert.strictEqual(yield* Fiber.join(behind), contents[1])
      assert.strictEqual(yield* contentOf(ask, path, first), contents[0])
    })
  )
})
