/**
 * Which file of a snapshot git's checks refuse. The sandbox is asked, because nothing of a refused pack is kept; what it
 * says is shown to people and acted on by nobody.
 */
import { Effect } from "effect"
import type { PackRefused } from "../services/GitStore.ts"
import type { CommitId } from "../services/Ids.ts"
import type { SandboxHandle } from "../services/Sandbox.ts"
import { visibleLine } from "../services/visibleText.ts"

const find = 'git --git-dir=.git/errand ls-tree -r -t --full-tree "$1" | grep -F -m 1 -e " $2"'
const longestName = 200

export const refusedWork = Effect.fn("refusedWork")(function* (
  handle: SandboxHandle,
  commit: CommitId,
  { detail, object }: PackRefused
) {
  if (object === undefined) return detail
  const found = yield* handle.run({
    argv: ["sh", "-c", find, "sh", commit, object],
    timeoutMs: 10_000,
    outputLimit: 4_096
  })
  const name = visibleLine(/^\d+ \w+ \w+\t([^\n]+)/.exec(found.output)?.[1] ?? "").slice(0, longestName)
  return name === "" ? `${detail} in the top folder` : `${detail} in ${name}`
})
