import { expect, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { GitStore } from "../../src/services/GitStore.ts"
import { gitText } from "../support/gitRepository.ts"
import { describeWithGitServer, gitServer } from "../support/gitServer.ts"
import { type GitStoreOptions, gitStoreLayer, owner } from "../support/gitStore.ts"

const withServer = (options: Omit<GitStoreOptions, "trustedHosts"> = {}) =>
  Effect.map(gitServer, (server) => ({
    server,
    layer: gitStoreLayer({ ...options, trustedHosts: [server.host] })
  }))

describeWithGitServer("fetch", () => {
  it.scopedLive("brings the default branch", () =>
    Effect.gen(function* () {
      const { layer, server } = yield* withServer()
      const { commit, url } = yield* server.create("team/app", { "a.txt": "one\n" })
      yield* Effect.gen(function* () {
        const store = yield* GitStore
        const start = yield* store.fetch({ owner, url }, Option.none())
        expect(start).toEqual({ ref: "main", commit })
        expect(yield* store.hasCommit({ owner, url }, commit!)).toBe(true)
      }).pipe(Effect.provide(layer))
    })
  )
})
