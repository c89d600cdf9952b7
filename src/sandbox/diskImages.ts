/**
 * Ext4 images, made by the programs of util-linux and e2fsprogs as root.
 *
 * Does not own: the loop devices before them (`diskHolders.ts`).
 */
import { Effect, Schema } from "effect"
import { execFile } from "node:child_process"
import { mkdir, readdir, rm } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"

/** A file system could not be made: rights, programs or devices are missing, or there is no space. */
export class DiskImageFailed extends Schema.TaggedError<DiskImageFailed>()("DiskImageFailed", {
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

const programMs = 10_000
export const searchPath = "/usr/sbin:/sbin:/usr/bin:/bin"
/** Ext4's own 16 KiB are too many for trees of small files such as node_modules. */
export const bytesPerFile = 8192

/** No journal and no tables written in advance: it is thrown away after any crash, and starts as a few megabytes. */
const format = `
truncate -s "$2" "$1"
mkfs.ext4 -q -m 0 -i ${bytesPerFile} -O ^has_journal -E "lazy_itable_init=1,nodiscard,root_owner=$3:$4" "$1"
debugfs -w -R 'rmdir lost+found' "$1" 2>&1
`
const clear = `for device in $(losetup --noheadings --output NAME --associated "$1"); do losetup --detach "$device"; done; rm -- "$1"`

const attempt = <A>(work: (signal: AbortSignal) => Promise<A>) =>
  Effect.tryPromise({
    try: work,
    catch: (error) => new DiskImageFailed({ detail: error instanceof Error ? error.message.trim() : String(error) })
  })

const shell = (script: string, ...words: ReadonlyArray<string>) =>
  Effect.map(
    attempt((signal) =>
      promisify(execFile)("/bin/sh", ["-ec", script, "sh", ...words], {
        env: { PATH: searchPath },
        signal,
        timeout: programMs
      })
    ),
    ({ stdout }) => stdout.trim()
  )

/** An image that others are copied from: an empty root directory of this user and group. */
export const makeTemplate = (path: string, bytes: number, uid: number, gid: number) =>
  Effect.zipRight(
    attempt(() => mkdir(join(path, ".."), { recursive: true, mode: 0o700 })),
    shell(format, path, `${bytes}`, `${uid}`, `${gid}`)
  )

/** Removes images that a server left behind that was killed just as it made them. */
export const clearImages = (directory: string) =>
  attempt(() => readdir(directory)).pipe(
    Effect.flatMap(
      Effect.forEach((name) => {
        const path = join(directory, name)
        return Effect.ignore(name.endsWith(".ext4") ? shell(clear, path) : attempt(() => rm(path)))
      })
    ),
    Effect.ignore
  )
