/**
 * What the gits that live on are asked about a repository, and how their answers are read.
 */
import { Effect } from "effect"
import { PackRefused } from "../../services/GitStore.ts"
import type { CommitId } from "../../services/Ids.ts"
import { StorageFull } from "../../services/Transaction.ts"
import type { Ask, LengthOf, Subject } from "./answerers.ts"
import { complaint, ranOutOfSpace } from "./failures.ts"
import type { GitFailed } from "./process.ts"
import type { ObjectFormat } from "./repositories.ts"
import { parseTree } from "./trees.ts"

/** Reads are never waited for longer than this, whatever a repository holds. */
export const tooLong = () => new PackRefused({ detail: "reading the repository took too long" })

const failed = ({ stderr }: GitFailed) =>
  ranOutOfSpace(stderr) ? new StorageFull() : new PackRefused({ detail: complaint(stderr) })

const header = /^(?<id>[0-9a-f]+) (?<type>[a-z]+) (?<size>\d+)\n/

/** `<id> <type> <size>`, the content, and a line break; or one line that says that there is no such object. */
const objectLength = (said: Buffer) => {
  const end = said.indexOf("\n") + 1
  if (end === 0) return undefined
  const size = header.exec(said.toString("latin1", 0, end))?.groups?.["size"]
  return size === undefined ? end : end + Number(size) + 1
}

/** Up to the line that was sent behind the two trees. */
const differenceLength = (said: Buffer) => {
  const at = said.indexOf("\nend\n")
  return at < 0 ? undefined : at + "\nend\n".length
}

const committed = "start: ok\ncommit: ok\n"

const countOf = (said: string, what: RegExp) => Number(what.exec(said)?.[1] ?? 0)

export const makeQuestions = (askGit: Ask, path: string, format: ObjectFormat) => {
  const ask = (subject: Subject, question: string, lengthOf: LengthOf) =>
    Effect.catchTags(askGit(path, subject, question, lengthOf), { GitFailed: failed, GitStopped: tooLong })

  /** `name` is anything that git takes for a tree. */
  const readTree = Effect.fnUntraced(function* (name: string) {
    const said = yield* ask("objects", `${name}\n`, objectLength)
    const found = header.exec(said.toString("latin1", 0, 200))
    const { id, type } = found?.groups ?? {}
    const tree = type === "tree" ? parseTree(said.subarray(found?.[0].length, -1), format) : undefined
    if (id === undefined || tree === undefined) return yield* new PackRefused({ detail: `there is no tree ${name}` })
    return { id, tree }
  })

  const compare = Effect.fnUntraced(function* (before: string, after: string) {
    const said = (yield* ask("differences", `${before} ${after}\nend\n`, differenceLength)).toString("latin1")
    return {
      files: countOf(said, /(\d+) files? changed/),
      additions: countOf(said, /(\d+) insertions?\(\+\)/),
      deletions: countOf(said, /(\d+) deletions?\(-\)/)
    }
  })

  /** From nothing when `from` is null. */
  const moveRef = (name: string, to: CommitId, from: CommitId | null) =>
    ask("refs", `start\nupdate ${name} ${to} ${from ?? "0".repeat(to.length)}\ncommit\n`, (said) =>
      said.length < committed.length ? undefined : committed.length
    )

  return { readTree, compare, moveRef }
}
