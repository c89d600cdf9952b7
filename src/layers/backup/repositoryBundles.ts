/**
 * Bare repositories as files that git itself makes and checks: one bundle with every ref of a repository.
 */
import { FileSystem } from "@effect/platform"
import { Effect, Schema } from "effect"
import { basename, join } from "node:path"
import { environment, safe } from "../git/environment.ts"
import { type GitCall, makeGit } from "../git/process.ts"

/** Git could not copy a repository. */
export class RepositoryNotCopied extends Schema.TaggedError<RepositoryNotCopied>()("RepositoryNotCopied", {
  path: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `The repository ${this.path} could not be copied: ${this.detail}.`
  }
}

const longest = "30 minutes"
const suffix = ".git"

const makeRun = Effect.map(Effect.orDie(environment), (clean) => {
  const git = makeGit(clean, () => Effect.succeedNone)
  return (path: string, args: ReadonlyArray<string>, more: Partial<GitCall> = {}) =>
    git.run({ args: [...safe, ...args], timeout: longest, outputLimit: 65_536, atLimit: "cut", ...more }).pipe(
      Effect.catchTag("GitStopped", () => new RepositoryNotCopied({ path, detail: "it took too long" })),
      Effect.filterOrFail(
        ({ exitCode }) => exitCode === 0,
        ({ stderr }) => new RepositoryNotCopied({ path, detail: stderr.trim().split("\n").at(-1) ?? "git failed" })
      ),
      Effect.map(({ stdout }) => stdout.toString("utf8").trim())
    )
})

/** Writes a bundle for each repository of a data directory, and gives their names; one without refs has none. */
export const bundleAll = Effect.fn("bundleAll")(function* (repositories: string, target: string) {
  const files = yield* FileSystem.FileSystem
  const run = yield* makeRun
  if (!(yield* files.exists(repositories))) return []
  const names = (yield* files.readDirectory(repositories)).filter((name) => name.endsWith(suffix)).toSorted()
  yield* files.makeDirectory(target, { recursive: true, mode: 0o700 })
  const made: Array<string> = []
  for (const name of names) {
    const repository = join(repositories, name)
    const refs = yield* run(repository, ["for-each-ref", "--count=1"], { repository })
    if (refs === "") continue
    const format = yield* run(repository, ["rev-parse", "--show-object-format"], { repository })
    const bundle = `${basename(name, suffix)}.${format}.bundle`
    yield* run(repository, ["bundle", "create", "--quiet", join(target, bundle), "--all"], { repository })
    made.push(bundle)
  }
  return made
})

/** Takes a bundle into the repository that it was made of, which is made again where it is missing. */
export const unbundle = Effect.fn("unbundle")(function* (bundle: string, repositories: string) {
  const files = yield* FileSystem.FileSystem
  const run = yield* makeRun
  const [name = "", format = "sha1"] = basename(bundle, ".bundle").split(".")
  const repository = join(repositories, `${name}${suffix}`)
  yield* files.makeDirectory(repositories, { recursive: true, mode: 0o700 })
  if (!(yield* files.exists(join(repository, "HEAD")))) {
    yield* run(repository, [
      "init",
      "--bare",
      "--quiet",
      "--template=",
      "--initial-branch=none",
      `--object-format=${format}`,
      repository
    ])
  }
  yield* run(
    repository,
    ["-c", "protocol.file.allow=always", "fetch", "--quiet", "--no-write-fetch-head", bundle, "+refs/*:refs/*"],
    { repository }
  )
})
