/** Reading and replacing files over a `RunnerConnection`. */
import { Effect } from "effect"
import type { FileContent, SandboxFileError, SandboxHandle, SandboxLost } from "../services/Sandbox.ts"
import { fileError, fileLimit, tooLarge } from "./fileErrors.ts"
import { Answer, list, Request, u32, u64 } from "./frames.ts"
import type { Runner } from "./Runner.ts"

export interface Reply {
  readonly type: number
  readonly body: Buffer
}

export const ask = ({ connection, lost }: Runner, type: number, body: ReadonlyArray<Uint8Array>) =>
  Effect.async<Reply, SandboxLost>((resume) => {
    const id = connection.listen({
      onAnswer: (type, body) => {
        connection.forget(id)
        resume(Effect.succeed({ type, body }))
      },
      onLost: () => resume(lost)
    })
    connection.send(type, id, ...body)
    return Effect.sync(() => connection.forget(id))
  })

const request = (runner: Runner, path: string, type: number, body: ReadonlyArray<Uint8Array>) =>
  path.includes("\0")
    ? Effect.fail(fileError(path, "ENOENT"))
    : Effect.filterOrFail(
        ask(runner, type, body),
        (reply) => reply.type !== Answer.refused,
        (reply): SandboxFileError => fileError(path, reply.body.toString())
      )

export const readFile =
  (runner: Runner): SandboxHandle["readFile"] =>
  (path, { limit, offset }) =>
    Effect.map(
      request(runner, path, Request.read, [u64(offset), u32(Math.min(limit, fileLimit)), Buffer.from(path)]),
      ({ body }): FileContent => ({ bytes: body.subarray(8), size: Number(body.readBigUInt64BE(0)) })
    )

export const writeFile =
  (runner: Runner): SandboxHandle["writeFile"] =>
  (path, bytes) =>
    bytes.length > fileLimit
      ? tooLarge(path, bytes.length)
      : Effect.asVoid(request(runner, path, Request.write, list([path, bytes])))
