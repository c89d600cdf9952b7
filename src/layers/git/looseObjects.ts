/**
 * Writing objects as git writes single ones: compressed, each in a file of its own that is there as a whole or not at all.
 */
import { Clock, Effect } from "effect"
import { randomUUID } from "node:crypto"
import { existsSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { deflateSync } from "node:zlib"
import { StorageFull } from "../../services/Transaction.ts"
import { ranOutOfSpace } from "./failures.ts"
import type { ObjectFormat } from "./repositories.ts"
import { encodeObject, type ObjectType } from "./trees.ts"

/** One that is there may be old and without a ref, and git is clearing such away right now: it spares what is new. */
const renew = (file: string, seconds: number): boolean => {
  if (!existsSync(file)) return false
  try {
    utimesSync(file, seconds, seconds)
    return true
  } catch {
    return false
  }
}

/** At once and not in the background: the way there and back takes five times as long as the few kilobytes themselves. */
const store = (folder: string, file: string, bytes: Uint8Array, seconds: number): void => {
  if (renew(file, seconds)) return
  // Not recursive: Node tries for ever where a parent exists and still nothing can be made in it.
  if (!existsSync(folder)) mkdirSync(folder)
  // Named as git names its own drafts, so that its clean-up knows them.
  const draft = join(folder, `tmp_obj_${randomUUID()}`)
  try {
    writeFileSync(draft, deflateSync(bytes, { level: 1 }), { flag: "wx", mode: 0o444 })
    renameSync(draft, file)
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
}

/** Gives the object's name. */
export const writeObject = (repository: string, type: ObjectType, content: Uint8Array, format: ObjectFormat) =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const { bytes, id } = encodeObject(type, content, format)
    const folder = join(repository, "objects", id.slice(0, 2))
    store(folder, join(folder, id.slice(2)), bytes, Math.floor(now / 1000))
    return id
  }).pipe(Effect.catchAllDefect((error) => (ranOutOfSpace(String(error)) ? new StorageFull() : Effect.die(error))))
