/** A store, a git server that it trusts, and short words for what tests of both say often. */
import { Effect, Option, type Scope } from "effect"
import type { DataDir } from "../../src/layers/DataDirLock.ts"
import { GitStore, type StoreKey } from "../../src/services/GitStore.ts"
import type { CommitId } from "../../src/services/Ids.ts"
import { type GitServer, gitServer } from "./gitServer.ts"
import { type GitStoreOptions, gitStoreLayer, owner } from "./gitStore.ts"

/** Runs a test with both; `options` are those of the store, for a server on this host. */
export const served =
  (
    test: (server: GitServer, store: GitStore["Type"]) => Effect.Effect<void, unknown, DataDir | Scope.Scope>,
    options: (host: string) => GitStoreOptions = () => ({})
  ) =>
  () =>
    Effect.gen(function* () {
      const server = yield* gitServer
      const layer = gitStoreLayer({ trustedHosts: [server.host], ...options(server.host) })
      yield* Effect.flatMap(GitStore, (store) => test(server, store)).pipe(Effect.provide(layer))
    })

export const at = (url: string): StoreKey => ({ owner, url })
export const defaultBranch = Option.none<string>()
export const named = (ref: string) => Option.some(ref)

/** A commit in the store on top of `parent`, with the files of `tree`. */
export const work = (store: GitStore["Type"], url: string, tree: CommitId, parent = tree, message = "work") =>
  store.commit(at(url), {
    tree,
    parents: [parent],
    message,
    at: "2026-01-02T03:04:05.000Z",
    keep: "task",
    author: { name: "E", email: "e@x" }
  })
