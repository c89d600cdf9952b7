/** Repositories with content, made without a work tree. */
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { mkdirSync } from "node:fs"
import { CommitId } from "../../src/services/Ids.ts"

/** A file by its content, or by its mode too (`100755`, `120000` a link, `160000` a submodule); null removes it. */
export type FileSpec = string | Uint8Array | { readonly mode: string; readonly data: string | Uint8Array } | null

const environment = {
  PATH: process.env["PATH"] ?? "/usr/bin:/bin",
  HOME: "/nonexistent",
  LC_ALL: "C",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null"
}

/** Runs git in a repository and gives what it printed; a failure of git is a defect. */
export const git = (
  repository: string,
  args: ReadonlyArray<string>,
  input?: string | Uint8Array,
  variables: Readonly<Record<string, string>> = {}
) =>
  Effect.sync(() =>
    execFileSync("git", ["--git-dir", repository, ...args], {
      env: { ...environment, ...variables },
      stdio: ["pipe", "pipe", "pipe"],
      maxBuffer: 2 ** 28,
      ...(input === undefined ? {} : { input })
    })
  )

export const gitText = (repository: string, args: ReadonlyArray<string>, input?: string | Uint8Array) =>
  Effect.map(git(repository, args, input), (bytes) => bytes.toString("utf8").trim())

export const makeBare = (repository: string, branch = "main", format = "sha1") =>
  Effect.zipRight(
    Effect.sync(() => mkdirSync(repository, { recursive: true })),
    git(repository, ["init", "--bare", "--quiet", "--template=", "-b", branch, `--object-format=${format}`])
  )

/** A path as fast-import takes it, whatever bytes it has. */
const quoted = (path: string) =>
  `"${[...Buffer.from(path)].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("")}"`

const fileCommand = ([path, spec]: readonly [string, FileSpec]): ReadonlyArray<Uint8Array> => {
  if (spec === null) return [Buffer.from(`D ${quoted(path)}\n`)]
  const { data, mode } = typeof spec === "string" || spec instanceof Uint8Array ? { data: spec, mode: "100644" } : spec
  const bytes = Buffer.from(data)
  if (mode === "160000") return [Buffer.from(`M ${mode} ${bytes.toString()} ${quoted(path)}\n`)]
  return [Buffer.from(`M ${mode} inline ${quoted(path)}\ndata ${bytes.length}\n`), bytes, Buffer.from("\n")]
}

/** Commits changes of files on top of a branch, which is made when it is missing. */
export const commitFiles = (
  repository: string,
  files: Readonly<Record<string, FileSpec>>,
  { branch = "main", message = "a change" }: { readonly branch?: string; readonly message?: string } = {}
) =>
  Effect.gen(function* () {
    const ref = `refs/heads/${branch}`
    const tip = yield* gitText(repository, ["for-each-ref", "--format=%(objectname)", ref])
    const header = [
      `commit ${ref}`,
      "committer A Person <person@example.com> 1700000000 +0000",
      `data ${Buffer.byteLength(message)}`,
      message,
      ...(tip === "" ? [] : [`from ${tip}`]),
      ""
    ].join("\n")
    const commands = Object.entries(files).flatMap(fileCommand)
    yield* git(
      repository,
      ["fast-import", "--quiet"],
      Buffer.concat([Buffer.from(header), ...commands, Buffer.from("\n")])
    )
    return CommitId.make(yield* gitText(repository, ["rev-parse", ref]))
  })
