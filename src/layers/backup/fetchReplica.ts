/**
 * A database out of a replica, by Litestream's own restore.
 */
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { BackupUnusable } from "./checkDatabase.ts"

/** What it needs to find and reach a replica; the keys of the server are none of its business. */
const handedOn =
  /^(?:PATH|HOME|TMPDIR|TZ|SSL_CERT_(?:FILE|DIR)|(?:HTTPS?|NO)_PROXY|(?:https?|no)_proxy|(?:AWS|AZURE|GOOGLE|LITESTREAM|ERRAND_BACKUP)_.*)$/

const ownEnvironment = Effect.sync(() =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => handedOn.test(name)))
)

/** The end of what it complained of. */
const mostComplaint = 4096

interface Ended {
  readonly code: number | null
  readonly complaint: string
}

const litestream = (words: ReadonlyArray<string>) =>
  Effect.flatMap(ownEnvironment, (env) =>
    Effect.async<Ended, Error>((resume) => {
      const program = spawn("litestream", words, { env, stdio: ["ignore", "ignore", "pipe"] })
      let complaint = ""
      program.stderr.setEncoding("utf8").on("data", (text: string) => {
        complaint = (complaint + text).slice(-mostComplaint)
      })
      program.on("error", (error) => resume(Effect.fail(error)))
      program.on("close", (code) => resume(Effect.succeed({ code, complaint })))
      return Effect.sync(() => program.kill())
    })
  )

const lastLine = (text: string) => text.trim().split("\n").at(-1) ?? ""

/** The source is the URL of a replica, or the configuration that names the one of `file`. */
export const fetchReplica = Effect.fnUntraced(function* (source: string, file: string, target: string) {
  const from = /\.ya?ml$/.test(source) ? ["-config", source, file] : [source]
  const { code, complaint } = yield* litestream(["restore", "-o", target, ...from]).pipe(
    Effect.mapError(
      () =>
        new BackupUnusable({
          source,
          detail: "there is no program `litestream` on the PATH; install it from litestream.io"
        })
    )
  )
  if (code !== 0) return yield* new BackupUnusable({ source, detail: `litestream failed (${lastLine(complaint)})` })
})
