/**
 * Differences between commits as lists of files, as git prints them.
 */
import { createHash } from "node:crypto"
import type { FileChange } from "../../services/GitStore.ts"

/** A changed file with what is needed to read its contents. Blobs and modes are zero where a side does not exist. */
export interface ChangedFile {
  readonly change: FileChange
  readonly oldMode: string
  readonly newMode: string
  readonly oldBlob: string
  readonly newBlob: string
}

export interface FileList {
  readonly files: ReadonlyArray<ChangedFile>
  readonly truncated: boolean
}

const statuses: Readonly<Record<string, FileChange["status"]>> = {
  A: "added",
  C: "copied",
  D: "deleted",
  M: "modified",
  R: "renamed",
  T: "type_changed"
}

const gitlink = "160000"
const rawLine = /^:(?<oldMode>\d+) (?<newMode>\d+) (?<oldBlob>[0-9a-f]+) (?<newBlob>[0-9a-f]+) (?<letter>[A-Z])/

type Raw = Omit<ChangedFile, "change"> & {
  readonly letter: string
  readonly oldPath: Buffer | null
  readonly path: Buffer
}

interface Counts {
  readonly binary: boolean
  readonly additions: number
  readonly deletions: number
}

/** A file that git lists and does not count has no lines that differ. */
const uncounted: Counts = { binary: false, additions: 0, deletions: 0 }

/** More than a path may have with every folder above it: what is longer is no record of git's. */
const longestToken = 1_000_000

/** The digest covers the bytes of paths, so that two names that look alike when shown stay two. */
const idOf = ({ letter, newBlob, newMode, oldBlob, oldMode, oldPath, path }: Raw) => {
  const hash = createHash("sha256").update(`${letter}:${oldMode}:${newMode}:${oldBlob}:${newBlob}\0`)
  if (oldPath !== null) hash.update(oldPath)
  return hash.update("\0").update(path).digest("hex").slice(0, 32)
}

const toChanged = (raw: Raw, { additions, binary, deletions }: Counts): ChangedFile => ({
  oldMode: raw.oldMode,
  newMode: raw.newMode,
  oldBlob: raw.oldBlob,
  newBlob: raw.newBlob,
  change: {
    id: idOf(raw),
    path: raw.path.toString("utf8"),
    oldPath: raw.oldPath?.toString("utf8") ?? null,
    status: statuses[raw.letter] ?? "modified",
    binary,
    submodule: raw.oldMode === gitlink || raw.newMode === gitlink,
    additions,
    deletions
  }
})

/**
 * Reads what `git diff --raw --numstat -z` prints, piece by piece: first every file's modes and blobs, then every
 * file's counts in the same order. Beyond `limits.files` files it only counts that there are more.
 */
export const makeDiffReader = (limits: { readonly files: number }) => {
  const raws: Array<Raw> = []
  /** By the bytes of the new path. */
  const counts = new Map<string, Counts>()
  let truncated = false
  let rest: Buffer = Buffer.alloc(0)
  /** What the tokens still to come belong to. */
  let header: Omit<Raw, "oldPath" | "path"> | undefined
  let oldPath: Buffer | undefined
  let renamed: { readonly counts: Counts; paths: number } | undefined

  const endRaw = (path: Buffer) => {
    if (header === undefined) return
    if (raws.length < limits.files) raws.push({ ...header, oldPath: oldPath ?? null, path })
    else truncated = true
    header = undefined
    oldPath = undefined
  }

  const takePath = (token: Buffer, { letter }: { readonly letter: string }) => {
    if ((letter === "R" || letter === "C") && oldPath === undefined) oldPath = Buffer.from(token)
    else endRaw(Buffer.from(token))
  }

  /** Renames have an empty path in their counts, and the old and the new path behind it. */
  const takeCounts = (text: string) => {
    const [additions = "", deletions = "", ...path] = text.split("\t")
    const found = { binary: additions === "-", additions: Number(additions) || 0, deletions: Number(deletions) || 0 }
    const name = path.join("\t")
    if (name === "") renamed = { counts: found, paths: 0 }
    else counts.set(name, found)
  }

  const take = (token: Buffer) => {
    if (header !== undefined) return takePath(token, header)
    const text = token.toString("latin1")
    if (renamed !== undefined) {
      renamed.paths++
      if (renamed.paths < 2) return
      counts.set(text, renamed.counts)
      renamed = undefined
      return
    }
    const raw = rawLine.exec(text)?.groups
    if (raw === undefined) return takeCounts(text)
    const { letter = "", newBlob = "", newMode = "", oldBlob = "", oldMode = "" } = raw
    header = { letter, oldMode, newMode, oldBlob, newBlob }
  }

  /** True when nothing more is needed. */
  const push = (chunk: Uint8Array): boolean => {
    const bytes = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk])
    let start = 0
    for (let end = bytes.indexOf(0); end >= 0; end = bytes.indexOf(0, start)) {
      take(bytes.subarray(start, end))
      start = end + 1
    }
    rest = bytes.subarray(start)
    return rest.length > longestToken || (truncated && counts.size >= limits.files)
  }

  const result = (): FileList => ({
    files: raws.map((raw) => toChanged(raw, counts.get(raw.path.toString("latin1")) ?? uncounted)),
    truncated
  })

  return { push, result }
}
