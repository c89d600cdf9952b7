import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as ForgeCommentsMemory from "../../src/layers/ForgeCommentsMemory.ts"
import * as ForgeCommentsSqlite from "../../src/layers/ForgeCommentsSqlite.ts"
import { type ForgeComment, ForgeComments } from "../../src/services/ForgeComments.ts"
import { Transaction } from "../../src/services/Transaction.ts"
import { eventsMemory, eventsSqlite } from "../support/storageLayers.ts"

const one: ForgeComment = { host: "github.com", kind: "issue", id: 1 }

const contract = <E>(name: string, layer: Layer.Layer<ForgeComments | Transaction, E>) =>
  describe(name, () => {
    it.effect("gives a comment to the first who asks", () =>
      Effect.gen(function* () {
        const { claim } = yield* ForgeComments
        const claims = yield* Effect.all(
          Array.from({ length: 10 }, () => claim(one)),
          { concurrency: 10 }
        )
        expect(claims.filter((claimed) => claimed)).toHaveLength(1)
        for (const other of [{ host: "git.example" }, { kind: "review" }, { id: 2 }] as const) {
          expect(yield* claim({ ...one, ...other })).toBe(true)
        }
      }).pipe(Effect.provide(layer))
    )

    it.effect("takes it back when what it was for is not stored", () =>
      Effect.gen(function* () {
        const { claim } = yield* ForgeComments
        const transaction = yield* Transaction
        yield* Effect.flip(transaction.run(Effect.zipRight(claim(one), Effect.fail("no"))))
        expect(yield* claim(one)).toBe(true)
      }).pipe(Effect.provide(layer))
    )
  })

contract("ForgeCommentsMemory", Layer.provideMerge(ForgeCommentsMemory.layer, eventsMemory))
contract("ForgeCommentsSqlite", Layer.provideMerge(ForgeCommentsSqlite.layer, eventsSqlite))
