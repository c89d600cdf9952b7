/**
 * Trees as git stores them, and what edits make of them.
 */
import { createHash } from "node:crypto"
import type { Edit } from "../../services/Sandbox.ts"
import type { ObjectFormat } from "./repositories.ts"

/** Names are bytes, held as Latin-1 so that comparing strings compares bytes. */
export interface TreeEntry {
  readonly mode: string
  /** Hexadecimal. */
  readonly id: string
}

export type Tree = ReadonlyMap<string, TreeEntry>

export const treeMode = "40000"
export const fileMode = (executable: boolean) => (executable ? "100755" : "100644")

export const isRegular = ({ mode }: TreeEntry) => mode === "100644" || mode === "100755"

/** What a regular file can take the place of: another one, or a link. */
export const isFile = (entry: TreeEntry) => isRegular(entry) || entry.mode === "120000"

/** Undefined when this is no tree of that format. */
export const parseTree = (bytes: Buffer, format: ObjectFormat): Tree | undefined => {
  const idBytes = format === "sha256" ? 32 : 20
  const entries = new Map<string, TreeEntry>()
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at)
    const nul = bytes.indexOf(0, space)
    const end = nul + 1 + idBytes
    if (space < 0 || nul < 0 || end > bytes.length) return undefined
    const mode = bytes.toString("latin1", at, space)
    entries.set(bytes.toString("latin1", space + 1, nul), { mode, id: bytes.toString("hex", nul + 1, end) })
    at = end
  }
  return entries
}

/** Git sorts a tree as if its name ended with a slash. */
const sortKey = ([name, { mode }]: readonly [string, TreeEntry]) => (mode === treeMode ? `${name}/` : name)

export const writeTree = (tree: Tree): Buffer =>
  Buffer.concat(
    [...tree]
      .map((entry) => [sortKey(entry), entry] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([, [name, { id, mode }]]) => [Buffer.from(`${mode} ${name}\0`, "latin1"), Buffer.from(id, "hex")])
  )

export type ObjectType = "blob" | "tree" | "commit"

/** An object with its header, as its id is computed and as it is stored, and that id. */
export const encodeObject = (type: ObjectType, content: Uint8Array, format: ObjectFormat) => {
  const bytes = Buffer.concat([Buffer.from(`${type} ${content.length}\0`), content])
  return { id: createHash(format).update(bytes).digest("hex"), bytes }
}

/** Edits by the names in a directory: of a file in it, or of what is in a directory below. */
export type EditedDirectory = Map<string, Edit["file"] | EditedDirectory>

/**
 * What only git itself should judge: its own files, and names that it would refuse, because some file system takes them
 * for those: short names, streams, other separators, characters that count for nothing (as bytes of UTF-8).
 */
const reserved = /^$|^\.{1,2}$|^\.git|~\d|[:\\]|\xe2[\x80\x81]|\xef\xbb/i

/** Undefined when a path is none of a plain file. */
export const byDirectory = (edits: ReadonlyArray<Edit>): EditedDirectory | undefined => {
  const root: EditedDirectory = new Map()
  for (const { file, path } of edits) {
    const names = Buffer.from(path).toString("latin1").split("/")
    if (names.some((name) => reserved.test(name))) return undefined
    let directory = root
    for (const name of names.slice(0, -1)) {
      const below = directory.get(name) ?? new Map()
      if (!(below instanceof Map)) return undefined
      directory.set(name, below)
      directory = below
    }
    const name = names.at(-1) ?? ""
    if (directory.has(name)) return undefined
    directory.set(name, file)
  }
  return root
}
