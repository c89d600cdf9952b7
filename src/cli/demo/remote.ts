/**
 * A real git remote, in a directory: the server fetches from it and pushes to it through git.
 *
 * Owns: making it with a first commit, and asking it what it has.
 */
import { Command, FileSystem } from "@effect/platform"
import { Effect, Schema, Stream } from "effect"
import { dirname, join } from "node:path"
import { project } from "./project.ts"

/** Git on this machine does not do what the demo needs. */
export class GitFailed extends Schema.TaggedError<GitFailed>()("GitFailed", {
  words: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `git ${this.words} failed: ${this.detail}`
  }
}

/** Nothing of the user's own configuration: it may sign commits, run hooks, or rewrite addresses. */
const environment = {
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_TERMINAL_PROMPT: "0",
  GIT_AUTHOR_NAME: "Demo",
  GIT_AUTHOR_EMAIL: "demo@localhost",
  GIT_COMMITTER_NAME: "Demo",
  GIT_COMMITTER_EMAIL: "demo@localhost",
  GIT_DIR: undefined,
  GIT_WORK_TREE: undefined,
  GIT_INDEX_FILE: undefined
}

const textOf = <E>(bytes: Stream.Stream<Uint8Array, E>) => Stream.mkString(Stream.decodeText(bytes))

const git = Effect.fnUntraced(function* (directory: string, ...words: ReadonlyArray<string>) {
  const failed = (detail: string) => new GitFailed({ words: words.join(" "), detail })
  const running = yield* Command.make("git", "-C", directory, ...words).pipe(Command.env(environment), Command.start)
  const [exitCode, output, complaint] = yield* Effect.all(
    [running.exitCode, textOf(running.stdout), textOf(running.stderr)],
    { concurrency: "unbounded" }
  )
  return exitCode === 0 ? output : yield* failed(complaint.trim())
}, Effect.scoped)

/** Makes `<directory>/remote.git` with the project of the demo on `main`. */
export const makeRemote = Effect.fn("makeRemote")(function* (directory: string) {
  const files = yield* FileSystem.FileSystem
  const work = join(directory, "project")
  const remote = join(directory, "remote.git")
  for (const [path, content] of project) {
    yield* files.makeDirectory(dirname(join(work, path)), { recursive: true })
    yield* files.writeFileString(join(work, path), content)
  }
  yield* git(work, "init", "--quiet", "--initial-branch=main")
  yield* git(work, "add", "--all")
  yield* git(work, "commit", "--quiet", "--message=Split bills")
  yield* git(directory, "clone", "--quiet", "--bare", work, remote)
  return remote
})

/** What the remote itself says about a branch. */
export const askRemote = Effect.fn("askRemote")(function* (remote: string, branch: string) {
  const commit = (yield* git(remote, "rev-parse", "--verify", "--end-of-options", `refs/heads/${branch}`)).trim()
  const subject = (yield* git(remote, "log", "-1", "--format=%s", commit)).trim()
  const diff = yield* git(remote, "diff", "main", commit)
  return { branch, commit, subject, diff }
})
