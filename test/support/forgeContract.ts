/** What every Forge must do, and what those must do besides that speak to a real one. */
import { expect, it } from "@effect/vitest"
import { Effect, type Layer, Option, type Scope } from "effect"
import { describe } from "vitest"
import { Forge } from "../../src/services/Forge.ts"
import type { StoreKey } from "../../src/services/GitStore.ts"
import type { Repository } from "./github/state.ts"

export interface ForgeScene {
  readonly layer: Layer.Layer<Forge>
  readonly key: StoreKey
  /** A comment that is there. */
  readonly comment: number
}

const asked = { base: null, title: "A title", body: "A body", draft: true } as const

export const forgeContract = (
  name: string,
  scene: Effect.Effect<ForgeScene, never, Scope.Scope>,
  branches: readonly [string, string] = ["errand/one", "errand/two"]
) => {
  const test = (title: string, body: (scene: ForgeScene) => Effect.Effect<void, unknown, Forge>) =>
    it.scopedLive(title, () => Effect.flatMap(scene, (ready) => Effect.provide(body(ready), ready.layer)))

  describe(name, () => {
    test("opens one pull request for each branch, and finds it", ({ key }) =>
      Effect.gen(function* () {
        const forge = yield* Forge
        const [one, two] = branches
        expect(yield* forge.find(key, one)).toEqual(Option.none())
        const opened = yield* forge.open(key, { ...asked, branch: one })
        expect(opened).toMatchObject({ number: 1, state: "open", draft: true, body: "A body" })
        expect(yield* forge.open(key, { ...asked, branch: one })).toEqual(opened)
        expect(yield* forge.find(key, one)).toEqual(Option.some(opened))
        expect((yield* forge.open(key, { ...asked, branch: two })).number).toBe(2)
        expect(yield* forge.find(key, one)).toEqual(Option.some(opened))
      }))

    test("opens one when it is asked ten times at once", ({ key }) =>
      Effect.gen(function* () {
        const forge = yield* Forge
        const asking = forge.open(key, { ...asked, branch: branches[0] })
        const opened = yield* Effect.all(
          Array.from({ length: 10 }, () => asking),
          { concurrency: 10 }
        )
        expect(new Set(opened.map(({ number }) => number))).toEqual(new Set([1]))
      }))

    test("describes and looks at one", ({ key }) =>
      Effect.gen(function* () {
        const forge = yield* Forge
        const { number, url } = yield* forge.open(key, { ...asked, branch: branches[0], draft: false })
        yield* forge.describe(key, number, "Another")
        expect(Option.getOrThrow(yield* forge.find(key, branches[0])).body).toBe("Another")
        const seen = { url, number, state: "open", draft: false, checks: "none", review: "none" }
        expect(yield* forge.look(key, number)).toEqual(seen)
        expect(yield* Effect.flip(forge.look(key, 99))).toMatchObject({ reason: "not_found", retryable: false })
      }))

    test("marks a comment as seen, also twice", ({ comment, key }) =>
      Effect.gen(function* () {
        const forge = yield* Forge
        yield* forge.acknowledge(key, { id: comment, review: false })
        yield* forge.acknowledge(key, { id: comment, review: false })
      }))
  })
}

export interface ForgeApiScene extends ForgeScene {
  readonly repository: Repository
  /** What the head of the first branch is. */
  readonly head: string
  /** The next request to list, or to open, is answered so. */
  readonly fail: (method: "GET" | "POST", status: number) => void
  readonly revoke: () => void
}

export const forgeApiContract = (name: string, scene: Effect.Effect<ForgeApiScene, never, Scope.Scope>) => {
  const test = (title: string, body: (scene: ForgeApiScene) => Effect.Effect<void, unknown, Forge | Scope.Scope>) =>
    it.scopedLive(title, () => Effect.flatMap(scene, (ready) => Effect.provide(body(ready), ready.layer)))
  const branch = "errand/one"

  describe(`${name}, as an API`, () => {
    test("tells checks, reviews and what became of it", ({ head, key, repository }) =>
      Effect.gen(function* () {
        const forge = yield* Forge
        const { number } = yield* forge.open(key, { ...asked, branch })
        const look = forge.look(key, number)
        repository.statuses.push({ sha: head, context: "ci", state: "pending" })
        expect((yield* look).checks).toBe("pending")
        repository.statuses.splice(0, 1, { sha: head, context: "ci", state: "success" })
        repository.reviews.push({ pull: number, author: "bob", state: "CHANGES_REQUESTED" })
        expect(yield* look).toMatchObject({ checks: "passed", review: "changes_requested" })
        repository.statuses.push({ sha: head, context: "other", state: "failure" })
        repository.reviews.push({ pull: number, author: "bob", state: "APPROVED" })
        expect(yield* look).toMatchObject({ checks: "failed", review: "approved" })
        for (const pull of repository.pulls) Object.assign(pull, { state: "closed", merged: true })
        expect((yield* look).state).toBe("merged")
        expect(Option.getOrThrow(yield* forge.find(key, branch)).state).toBe("merged")
        expect((yield* forge.open(key, { ...asked, branch })).number).toBe(2)
        expect(Option.getOrThrow(yield* forge.find(key, branch)).number).toBe(2)
      }))

    test("says what somebody has to do, or that it may pass", ({ fail, key, revoke }) =>
      Effect.gen(function* () {
        const forge = yield* Forge
        const find = Effect.flip(forge.find(key, branch))
        for (const status of [500, 502, 503]) {
          fail("GET", status)
          expect(yield* find).toMatchObject({ reason: "unavailable", retryable: true })
        }
        fail("GET", 429)
        expect(yield* find).toMatchObject({ reason: "rate_limited", retryable: true, waitMs: 60_000 })
        fail("GET", 404)
        expect(yield* find).toMatchObject({ reason: "not_found", retryable: false })
        fail("POST", 403)
        const refused = yield* Effect.flip(forge.open(key, { ...asked, branch }))
        expect(refused).toMatchObject({ reason: "refused", retryable: false })
        revoke()
        const lost = yield* find
        expect(lost).toMatchObject({ reason: "auth", retryable: false })
        expect(lost.detail).not.toMatch(/gho_/)
      }))

    test("asks nobody for a repository at no forge", ({ key }) =>
      Effect.gen(function* () {
        const forge = yield* Forge
        const elsewhere = { ...key, url: "https://git.example.com/a/b" }
        expect(yield* Effect.flip(forge.find(elsewhere, branch))).toMatchObject({ reason: "refused", retryable: false })
      }))
  })
}
