/** Reading what a server and a remote keep in bare repositories, without asking them. */
import { execFile } from "node:child_process"
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"

const run = promisify(execFile)

const deepest = 6

/** Every bare repository in a directory, at any (sane) depth. */
export const findBareRepositories = async (directory: string, depth = 0): Promise<ReadonlyArray<string>> => {
  const entries = await readdir(directory, { withFileTypes: true })
  const names = entries.map(({ name }) => name)
  if (["HEAD", "objects", "refs"].every((name) => names.includes(name))) return [directory]
  if (depth === deepest) return []
  const inner = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(directory, name))
  return (await Promise.all(inner.map((path) => findBareRepositories(path, depth + 1)))).flat()
}

/** A file of a commit, branch or tag; undefined when the repository does not have it. */
export const fileIn = async (repository: string, revision: string, path: string): Promise<string | undefined> => {
  try {
    const { stdout } = await run("git", ["--git-dir", repository, "cat-file", "blob", `${revision}:${path}`])
    return stdout
  } catch {
    return undefined
  }
}
