/**
 * Checkpoints that the server makes by itself, with no git started for them: of the last one and the files that were
 * edited since, or of a tree that is in the store already.
 */
import { Effect, Option } from "effect"
import { type CheckpointSpec, EditsUnfit, type MadeCheckpoint, type PackRefused } from "../../services/GitStore.ts"
import { CommitId } from "../../services/Ids.ts"
import type { Edit } from "../../services/Sandbox.ts"
import type { StorageFull } from "../../services/Transaction.ts"
import type { Ask } from "./answerers.ts"
import { writeObject } from "./looseObjects.ts"
import { makeQuestions } from "./questions.ts"
import { isKeepName, keepRef, type ObjectFormat, type Repositories } from "./repositories.ts"
import { byDirectory, type EditedDirectory, fileMode, isFile, type Tree, treeMode, writeTree } from "./trees.ts"

type Failure = EditsUnfit | PackRefused | StorageFull

const author = "Errand <errand@localhost>"

/** What is asked and written about one repository while a checkpoint is made. */
const session = (ask: Ask, path: string, format: ObjectFormat) => {
  const known = new Map<string, Tree>()

  const { compare, moveRef, readTree } = makeQuestions(ask, path, format)

  /** `name` is anything that git takes for a tree. */
  const find = Effect.fnUntraced(function* (name: string) {
    const { id, tree } = yield* readTree(name)
    known.set(id, tree)
    return id
  })

  const read = (id: string | undefined): Effect.Effect<Tree, Failure> =>
    Effect.suspend(() => {
      const tree = id === undefined ? new Map() : known.get(id)
      return tree === undefined ? Effect.flatMap(find(id ?? ""), read) : Effect.succeed(tree)
    })

  /** What stands in the way of an edit is for git to judge. */
  const directory = (tree: Tree, name: string) => {
    const entry = tree.get(name)
    return entry === undefined || entry.mode === treeMode ? read(entry?.id) : new EditsUnfit()
  }

  /** Paths of files that are not in the tree. */
  const newFiles = (tree: Tree, edits: EditedDirectory, above = ""): Effect.Effect<ReadonlyArray<string>, Failure> =>
    Effect.map(
      Effect.forEach(edits, ([name, edit]) => {
        const path = above + Buffer.from(name, "latin1").toString("utf8")
        return edit instanceof Map
          ? Effect.flatMap(directory(tree, name), (below) => newFiles(below, edit, `${path}/`))
          : Effect.succeed(edit === null || tree.has(name) ? [] : [path])
      }),
      (found) => found.flat()
    )

  const writeFile = (name: string, { bytes, executable }: NonNullable<Edit["file"]>) =>
    Effect.map(writeObject(path, "blob", bytes, format), (id) => [name, { mode: fileMode(executable), id }] as const)

  /** The tree with the edits in it; an empty one is none. */
  const amend = (
    before: Tree,
    edits: EditedDirectory,
    leftOut: ReadonlySet<string>,
    above = ""
  ): Effect.Effect<string | undefined, Failure> =>
    Effect.gen(function* () {
      const tree = new Map(before)
      for (const [name, edit] of edits) {
        const path = above + Buffer.from(name, "latin1").toString("utf8")
        if (edit instanceof Map) {
          const id = yield* amend(yield* directory(tree, name), edit, leftOut, `${path}/`)
          if (id === undefined) tree.delete(name)
          else tree.set(name, { mode: treeMode, id })
          continue
        }
        const entry = tree.get(name)
        if (entry !== undefined && !isFile(entry)) return yield* new EditsUnfit()
        if (edit === null) tree.delete(name)
        else if (!leftOut.has(path)) tree.set(...(yield* writeFile(name, edit)))
      }
      return tree.size === 0 ? undefined : yield* writeObject(path, "tree", writeTree(tree), format)
    })

  return { find, read, newFiles, amend, compare, moveRef }
}

export const makeCheckpoint = (ask: Ask, repositories: Repositories) => {
  const make = Effect.fnUntraced(function* <E>(path: string, { at, keep, parent, work }: CheckpointSpec<E>) {
    if (!isKeepName(keep.name)) return yield* Effect.dieMessage(`${keep.name} can't name what is kept`)
    const format = parent.length === 64 ? "sha256" : "sha1"
    const { amend, compare, find, moveRef, newFiles, read } = session(ask, path, format)
    const before = yield* find(`${parent}^{tree}`)

    const edited = Effect.fnUntraced(function* (
      edits: ReadonlyArray<Edit>,
      ignored: (paths: ReadonlyArray<string>) => Effect.Effect<ReadonlySet<string>, E>
    ) {
      const changes = byDirectory(edits)
      if (changes === undefined) return yield* new EditsUnfit()
      const tree = yield* read(before)
      const added = yield* newFiles(tree, changes)
      const leftOut = added.length === 0 ? new Set<string>() : yield* ignored(added)
      return (yield* amend(tree, changes, leftOut)) ?? (yield* writeObject(path, "tree", new Uint8Array(), format))
    })

    const after = "edits" in work ? yield* edited(work.edits, work.ignored) : yield* find(`${work.tree}^{tree}`)
    if (after === before) return Option.none<MadeCheckpoint>()
    const signature = `${author} ${Math.floor(Date.parse(at) / 1000)} +0000`
    const lines = [
      `tree ${after}`,
      `parent ${parent}`,
      `author ${signature}`,
      `committer ${signature}`,
      "",
      "Checkpoint",
      ""
    ]
    const commit = CommitId.make(yield* writeObject(path, "commit", Buffer.from(lines.join("\n")), format))
    const changed = yield* compare(before, after)
    yield* moveRef(keepRef(`${keep.name}/checkpoint`), commit, keep.expected)
    return Option.some<MadeCheckpoint>({ commit, tree: after, ...changed })
  })

  return <E>(path: string, spec: CheckpointSpec<E>) => repositories.exclusively(path, make(path, spec))
}
