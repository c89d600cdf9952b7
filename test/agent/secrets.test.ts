/** The value of a secret that has got into a sandbox: in whole runs on real storage, nobody sees or stores it. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { ScriptSource } from "../../src/layers/scripted/Script.ts"
import { SecretName, Secrets } from "../../src/services/Secrets.ts"
import { Accounts } from "../../src/services/Accounts.ts"
import { EventBus } from "../../src/services/EventBus.ts"
import { TaskRepo } from "../../src/services/TaskRepo.ts"
import { commitFiles, gitText, makeBare } from "../support/gitRepository.ts"
import { appLayer, finished, submit, temporaryDirectory } from "../support/wholeApp.ts"

const value = "canary-s3cret/value+1"
const name = SecretName.make("API_KEY")

const owner = Effect.flatMap(Accounts, (accounts) => accounts.createToken("tester", { name: "x", scopes: ["write"] }))

const store = Effect.gen(function* () {
  const { user } = yield* owner
  yield* (yield* Secrets).put(user.id, { name, hosts: ["api.example"], value: Redacted.make(value) })
  return user.id
})

const bytesBelow = (directory: string): string =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"))
    .join("\n")

/** In two halves, so that it comes in two pieces. */
const halves = `printf 'it is canary-s3cret'; sleep 0.3; printf '/value+1. Not canary-s3'`

const script: ScriptSource = {
  scenarios: [
    {
      name: "main",
      steps: [
        { text: `I read ${value}.`, tools: [{ name: "run_command", input: { command: "cat .env; base64 -w0 .env" } }] },
        { tools: [{ name: "run_command", input: { command: halves } }] },
        { tools: [{ name: "write_file", input: { path: "notes.txt", content: `Uses ${value}` } }] },
        { tools: [{ name: "read_file", input: { path: `${value}.txt` } }] },
        { text: `Done with ${value}, and not with canary-s` }
      ]
    }
  ]
}

const stage = Effect.gen(function* () {
  const directory = yield* temporaryDirectory
  const remote = `${directory}/remote.git`
  yield* makeBare(remote)
  yield* commitFiles(remote, { ".env": `API_KEY=${value}\n` })
  return { remote, dataDir: `${directory}/data`, app: appLayer({ dataDir: `${directory}/data`, script }) }
})

describe("a secret whose value is in the sandbox", () => {
  // Seen to fail, each by itself: without the mask of the model's answers (the words of the commit), with pieces of its
  // text or of a command's output that are shown as they come, or masked one by one, or shown without their end.
  it.scopedLive(
    "is masked in events, previews, the conversation, the log, the database and the pushed commit's words",
    () =>
      Effect.gen(function* () {
        const { app, dataDir, remote } = yield* stage
        const shown: Array<string> = []
        const seen = yield* Effect.gen(function* () {
          yield* store
          const bus = yield* EventBus
          yield* bus.listen((news) => {
            if (news._tag === "Preview") shown.push(news.preview.text)
          })
          const { id } = yield* submit(remote, { secrets: [name] })
          const { events, task } = yield* finished(id)
          const conversation = yield* (yield* TaskRepo).conversation(id)
          return { task, text: JSON.stringify({ events, conversation, task }) }
        }).pipe(Effect.scoped, Effect.provide(app))
        expect(seen.task.status).toBe("completed")
        expect(seen.text).not.toContain("canary-s3cret/value")
        expect(seen.text).toContain("it is [secret API_KEY].")
        expect(shown.join("")).toContain("it is [secret API_KEY].")
        expect(shown.join("")).not.toContain("canary-s3cret")
        expect(shown.filter((text) => text.startsWith("canary"))).toEqual(["canary-s3", "canary-s"])
        const words = yield* gitText(remote, ["log", "--format=%B", seen.task.branch, "--not", "main"])
        expect(words).not.toContain("canary-s3cret")
        expect(bytesBelow(dataDir)).not.toContain(value)
      })
  )

  it.scopedLive("that is not stored any more pauses the task", () =>
    Effect.gen(function* () {
      const { app, remote } = yield* stage
      const { task } = yield* Effect.gen(function* () {
        const user = yield* store
        yield* (yield* Secrets).remove(user, name)
        return yield* Effect.flatMap(submit(remote, { secrets: [name] }), ({ id }) => finished(id))
      }).pipe(Effect.provide(app))
      expect(task).toMatchObject({ status: "paused", pausedReason: "secret_needed" })
    })
  )
})
