/**
 * Writing objects as git writes single ones: compressed, each in a file of its own that is there as a whole or not at all.
 */
import { FileSystem } from "@effect/platform"
import { Clock, Effect } from "effect"
import { randomUUID } from "node:crypto"
import { join } from "node:path"
import { deflateSync } from "node:zlib"
import { StorageFull } from "../../services/Transaction.ts"
import { ranOutOfSpace } from "./failures.ts"
import type { ObjectFormat } from "./repositories.ts"
import { encodeObject, type ObjectType } from "./trees.ts"

export const makeLooseObjects = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem

  const store = Effect.fnUntraced(function* (folder: string, file: string, bytes: Uint8Array) {
    const seconds = Math.floor((yield* Clock.currentTimeMillis) / 1000)
    // One that is there may be old and without a ref, and git is clearing such away right now: it spares what is new.
    if (yield* Effect.isSuccess(files.utimes(file, seconds, seconds))) return
    // Named as git names its own drafts, so that its clean-up knows them.
    const draft = join(folder, `tmp_obj_${randomUUID()}`)
    yield* files.makeDirectory(folder, { recursive: true })
    yield* files.writeFile(draft, deflateSync(bytes, { level: 1 }), { flag: "wx", mode: 0o444 }).pipe(
      Effect.zipRight(files.rename(draft, file)),
      Effect.onError(() => Effect.ignore(files.remove(draft, { force: true })))
    )
  })

  /** Gives the object's name. */
  return (repository: string, type: ObjectType, content: Uint8Array, format: ObjectFormat) => {
    const { bytes, id } = encodeObject(type, content, format)
    const folder = join(repository, "objects", id.slice(0, 2))
    return store(folder, join(folder, id.slice(2)), bytes).pipe(
      Effect.catchAll((error) => (ranOutOfSpace(String(error)) ? new StorageFull() : Effect.die(error))),
      Effect.as(id)
    )
  }
})

export type WriteObject = Effect.Effect.Success<typeof makeLooseObjects>
