/**
 * Bringing one ref of a remote into the store.
 */
import { FileSystem } from "@effect/platform"
import { Effect, Option } from "effect"
import { createHash } from "node:crypto"
import { join } from "node:path"
import type { RemoteFailed, StartPoint } from "../../services/GitStore.ts"
import { CommitId } from "../../services/Ids.ts"
import { settings } from "./environment.ts"
import { notRepository, refNotFound, storeStopped } from "./failures.ts"
import type { Limits } from "./limits.ts"
import type { Git } from "./process.ts"
import { isRefName } from "./refNames.ts"
import { askForRefs, atRemote, type Refs } from "./refs.ts"
import type { Remote } from "./remote.ts"
import type { Repositories } from "./repositories.ts"

const commitId = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/
const heads = "refs/heads/"

/** Flaws of old histories that harm nobody. */
const pardoned = ["badTimezone", "missingSpaceBeforeDate", "zeroPaddedFilemode", "missingNameBeforeEmail", "badEmail"]

/** A ref as people call it, and what to ask the remote for: a ref's full name, or a commit. */
interface Wanted {
  readonly name: string
  readonly source: string
  readonly id: string
}

/** The full names that a short one can stand for, the first that exists counts. */
const fullNames = (ref: string): ReadonlyArray<string> =>
  ref.startsWith("refs/") ? [ref] : [`${heads}${ref}`, `refs/tags/${ref}`]

const choose = ({ head, ids }: Refs, ref: Option.Option<string>): Option.Option<Wanted> => {
  const source = Option.match(ref, {
    onNone: () => (ids.has("HEAD") ? (head ?? "HEAD") : undefined),
    onSome: (name) => fullNames(name).find((full) => ids.has(full))
  })
  if (source === undefined) return Option.none()
  const id = ids.get(source) ?? ids.get("HEAD") ?? ""
  return Option.some({ name: Option.getOrElse(ref, () => shortName(source)), source, id })
}

const shortName = (source: string) => (source.startsWith(heads) ? source.slice(heads.length) : source)

export const makeFetch = Effect.fnUntraced(function* (git: Git, repositories: Repositories, limits: Limits) {
  const files = yield* FileSystem.FileSystem

  /** What a ref that was fetched before points to, and the commit behind it. */
  const known = Effect.fnUntraced(function* (path: string, local: string) {
    const { exitCode, stdout } = yield* git.run({
      repository: path,
      args: ["rev-parse", local, `${local}^{commit}`],
      timeout: limits.readTime,
      outputLimit: 1024,
      saysLittle: true
    })
    const [id = "", commit = ""] = exitCode === 0 ? stdout.toString("utf8").split("\n") : []
    return { id, commit: Option.liftPredicate(commit, (text) => commitId.test(text)) }
  }, Effect.mapError(storeStopped))

  const transfer = Effect.fnUntraced(function* (remote: Remote, path: string, { id, name, source }: Wanted) {
    // Named by a hash, because a branch `a` that is gone would be in the way of a new branch `a/b`.
    const local = `refs/errand/remote/${createHash("sha256").update(source).digest("hex")}`
    const before = yield* known(path, local)
    if (before.id !== id) {
      yield* atRemote(git, remote, {
        repository: path,
        args: [
          ...settings(Object.fromEntries(pardoned.map((flaw) => [`fetch.fsck.${flaw}`, "ignore"]))),
          "fetch",
          "--quiet",
          "--no-tags",
          "--no-write-fetch-head",
          "--no-auto-maintenance",
          "--refmap="
        ],
        operands: [`+${source}:${local}`],
        timeout: limits.transferTime,
        rlimits: { file: limits.fetchBytes, memory: limits.fetchMemory }
      }).pipe(Effect.onError(() => repositories.sweep(path)))
    }
    const { commit } = before.id === id ? before : yield* known(path, local)
    if (Option.isNone(commit)) return yield* refNotFound(`${name} does not name a commit.`)
    return { ref: name, commit: CommitId.make(commit.value) }
  })

  /**
   * The branch that HEAD of an empty remote names: only a clone learns it. What does not speak git's protocol is no
   * repository: git takes many a web page for an empty one.
   */
  const unbornBranch = Effect.fnUntraced(function* (remote: Remote) {
    const folder = join(yield* Effect.orDie(files.makeTempDirectoryScoped({ prefix: "errand-" })), "clone")
    const { stderr } = yield* atRemote(git, remote, {
      args: [...settings({ "init.defaultBranch": "main" }), "clone", "--bare", "--quiet", "--template="],
      operands: [folder],
      env: { GIT_TRACE_PACKET: "2" },
      timeout: limits.contactTime
    })
    if (!/ packet: /.test(stderr)) return yield* notRepository(remote.host)
    const head = yield* Effect.orDie(files.readFileString(join(folder, "HEAD")))
    return shortName(head.trim().replace(/^ref: /, ""))
  }, Effect.scoped)

  /** Nothing by that name: the start of an empty repository, or a mistake. */
  const absent = Effect.fnUntraced(function* (remote: Remote, path: string, ref: Option.Option<string>) {
    const { ids } = yield* askForRefs(git, remote, [], limits.contactTime)
    if (ids.size === 0) {
      const unborn = yield* unbornBranch(remote)
      yield* repositories.exclusively(path, repositories.create(path, "sha1"))
      return { ref: Option.getOrElse(ref, () => unborn), commit: null }
    }
    const branches = [...ids.keys()].filter((name) => name.startsWith(heads)).map(shortName)
    const some = branches.slice(0, 5).join(", ")
    const hint = branches.length === 0 ? "" : `; it has ${some}${branches.length > 5 ? " and others" : ""}`
    return yield* refNotFound(
      Option.match(ref, {
        onNone: () => `The default branch of the repository does not exist. Name another${hint}.`,
        onSome: (name) => `The repository has no branch or tag ${name}${hint}.`
      })
    )
  })

  return Effect.fnUntraced(function* (
    remote: Remote,
    path: string,
    ref: Option.Option<string>
  ): Effect.fn.Return<StartPoint, RemoteFailed> {
    const byId = Option.filter(ref, (name) => commitId.test(name))
    if (Option.isSome(ref) && Option.isNone(byId) && !isRefName(ref.value)) {
      return yield* refNotFound("This is no valid name of a branch, tag or commit.")
    }
    const names = Option.match(ref, { onNone: () => ["HEAD"], onSome: fullNames })
    const wanted = Option.isSome(byId)
      ? Option.some({ name: byId.value, source: byId.value, id: byId.value })
      : choose(yield* askForRefs(git, remote, names, limits.contactTime), ref)
    if (Option.isNone(wanted)) return yield* absent(remote, path, ref)
    const format = wanted.value.id.length === 64 ? "sha256" : "sha1"
    return yield* repositories.exclusively(
      path,
      Effect.zipRight(repositories.create(path, format), transfer(remote, path, wanted.value))
    )
  })
})
