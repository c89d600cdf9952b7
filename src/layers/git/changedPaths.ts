/**
 * Paths that differ between two commits, of those that patterns name. Git itself matches them: it looks into no
 * directory that they can't lead to, and what it prints stays short whatever a repository holds.
 */
import { Effect } from "effect"
import type { CommitId } from "../../services/Ids.ts"
import { safe } from "./environment.ts"
import type { Limits } from "./limits.ts"
import { emptyTree, unreadable } from "./objects.ts"
import type { Git } from "./process.ts"
import { tooLong } from "./questions.ts"

const mostPaths = 100
const mostBytes = 6_000
const rlimits = { memory: 1024 * 2 ** 20, file: 2 ** 20 }

export const makeChangedPaths = (git: Git, limits: Limits) =>
  Effect.fnUntraced(
    function* (path: string, from: CommitId | null, to: CommitId, patterns: ReadonlyArray<string>) {
      const { cut, exitCode, stderr, stdout } = yield* git.run({
        repository: path,
        // Without renames: a file that comes from elsewhere is listed where it is now, and where it was.
        args: [
          ...safe,
          "diff-tree",
          "-r",
          "-z",
          "--name-only",
          "--no-renames",
          from ?? emptyTree(to),
          to,
          "--",
          ...patterns.map((pattern) => `:(glob,icase)${pattern}`)
        ],
        env: { GIT_LITERAL_PATHSPECS: "0" },
        timeout: limits.diffTime,
        outputLimit: mostBytes,
        atLimit: "cut",
        saysLittle: true,
        rlimits
      })
      if (!cut && exitCode !== 0) return yield* unreadable(stderr)
      const names = stdout.toString("utf8").split("\0")
      // A name that was cut still tells that there is one.
      const last = names.pop() ?? ""
      return [...names, ...(last === "" ? [] : [`${last}…`])].slice(0, mostPaths)
    },
    Effect.catchTag("GitStopped", tooLong)
  )
