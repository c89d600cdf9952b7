/** Forge in memory, for tests and for embedding: every repository is there, and everybody may do everything. */
import { Effect, Layer, Option, Ref } from "effect"
import { Forge, ForgeFailed, type FoundPullRequest } from "../services/Forge.ts"
import type { StoreKey } from "../services/GitStore.ts"

interface Kept extends FoundPullRequest {
  readonly repository: string
  readonly branch: string
}

const missing = new ForgeFailed({ reason: "not_found", retryable: false, waitMs: null, detail: "There is none." })

export const layer = Layer.effect(
  Forge,
  Effect.gen(function* () {
    const all = yield* Ref.make<ReadonlyArray<Kept>>([])
    const ofBranch = (key: StoreKey, branch: string) => (kept: Kept) =>
      kept.repository === key.url && kept.branch === branch
    const numbered = (key: StoreKey, number: number) => (kept: Kept) =>
      kept.repository === key.url && kept.number === number

    const find = (key: StoreKey, branch: string) =>
      Effect.map(Ref.get(all), (pulls) => {
        const own = pulls.filter(ofBranch(key, branch)).toReversed()
        return Option.fromNullable(own.find(({ state }) => state === "open") ?? own[0])
      })

    return Forge.of({
      find,
      open: (key, { body, branch, draft }) =>
        Ref.modify(all, (pulls) => {
          const open = pulls.filter(ofBranch(key, branch)).find(({ state }) => state === "open")
          if (open !== undefined) return [open, pulls]
          const number = pulls.filter(({ repository }) => repository === key.url).length + 1
          const url = `${key.url.replace(/\.git$/, "")}/pulls/${number}`
          const made: Kept = { repository: key.url, branch, url, number, state: "open", draft, body, head: "" }
          return [made, [...pulls, made]]
        }),
      describe: (key, number, body) =>
        Ref.update(all, (pulls) => pulls.map((kept) => (numbered(key, number)(kept) ? { ...kept, body } : kept))),
      look: (key, number) =>
        Effect.flatMap(Ref.get(all), (pulls) => {
          const kept = pulls.find(numbered(key, number))
          if (kept === undefined) return missing
          const { draft, state, url } = kept
          return Effect.succeed({ url, number, state, draft, checks: "none" as const, review: "none" as const })
        }),
      acknowledge: () => Effect.void
    })
  })
)
