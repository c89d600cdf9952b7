/** What may have changed in the work tree of a container, as its runner sees it. */
import { Effect, Option } from "effect"
import type { Edit, SandboxHandle } from "../services/Sandbox.ts"
import { root } from "./containerSpec.ts"
import { Answer, EditKind, readList, Request } from "./frames.ts"
import type { Runner } from "./Runner.ts"
import type { RunnerConnection } from "./RunnerConnection.ts"
import { ask } from "./runnerFiles.ts"

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

const names = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const readEdit = (name: Buffer, file: Buffer): Edit => {
  const kind = file[0]
  return {
    path: names.decode(name),
    file: kind === EditKind.gone ? null : { bytes: file.subarray(1), executable: kind === EditKind.executable }
  }
}

/** None also when a name is no text: git's own look at the tree takes any name. */
const readEdits = (body: Buffer): Option.Option<ReadonlyArray<Edit>> => {
  const items = body[0] === 1 ? readList(body.subarray(1)) : undefined
  if (items === undefined || items.length % 2 !== 0) return Option.none()
  return Option.liftThrowable(() =>
    items.flatMap((name, index) => {
      const file = items[index + 1]
      return index % 2 === 0 && file !== undefined ? [readEdit(name, file)] : []
    })
  )()
}

export const edits = (runner: Runner): SandboxHandle["edits"] =>
  Effect.map(ask(runner, Request.tell, []), ({ body, type }) =>
    type === Answer.edits ? readEdits(body) : Option.none()
  )
