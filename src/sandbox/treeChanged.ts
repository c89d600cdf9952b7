/** Whether the work tree in a container may have changed, as its runner sees it. */
import { Effect } from "effect"
import type { SandboxHandle } from "../services/Sandbox.ts"
import { root } from "./containerSpec.ts"
import { Request } from "./frames.ts"
import type { RunnerConnection } from "./RunnerConnection.ts"

const path = Buffer.from(root)

/** The runner begins to watch when it is asked for the first time, which is before anybody looks at the tree. */
export const makeTreeChanged = (connection: RunnerConnection): SandboxHandle["treeChanged"] => {
  let watched = false
  return Effect.sync(() => {
    const changed = connection.treeChanged
    connection.treeChanged = false
    if (!watched) connection.send(Request.watch, 0, path)
    watched = true
    return changed
  })
}
