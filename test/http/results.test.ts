import { expect, layer } from "@effect/vitest"
import { Effect, Layer, Option, Schema, Stream } from "effect"
import { type FileChange, GitStore, type Hunk, PackRefused } from "../../src/services/GitStore.ts"
import { CommitId, type TaskId, ToolCallId } from "../../src/services/Ids.ts"
import { TaskChange } from "../../src/services/TaskChange.ts"
import { ask, door, happen, submit, tokenFor } from "./door.ts"

const commit = (digit: string) => Schema.decodeSync(CommitId)(digit.repeat(40))
const base = commit("a")
const head = commit("b")
const broken = commit("c")

const file: FileChange = {
  id: "f1",
  path: "src/sum.ts",
  oldPath: null,
  status: "modified",
  binary: false,
  submodule: false,
  additions: 1,
  deletions: 2
}

const hunk: Hunk = {
  oldStart: 1,
  oldLines: 1,
  newStart: 1,
  newLines: 1,
  heading: "",
  lines: [{ kind: "addition", text: "+", oldLine: null, newLine: 1, newline: true }]
}

const refused = new PackRefused({ detail: "secret path of the server" })

const patchOf = "diff --git a/x b/x\n"

const store = Layer.mock(GitStore, {
  diff: (_, from, to) =>
    to === broken
      ? refused
      : Effect.succeed({ files: from === base ? [file] : [], additions: 1, deletions: 2, truncated: false }),
  fileDiff: (_, __, ___, id) =>
    Effect.succeed(id === "f1" ? Option.some({ file, hunks: [hunk], truncated: false }) : Option.none()),
  patch: (_, __, to) =>
    to === broken
      ? Stream.fail(refused)
      : Stream.make(new TextEncoder().encode(patchOf), new Uint8Array([0xff, 0x00])).pipe(Stream.rechunk(1))
})

const checkpoint = (at: typeof head) => TaskChange.CheckpointSaved({ commit: at, files: 1, additions: 1, deletions: 2 })

/** A task that ran and left a checkpoint. */
const worked = Effect.fnUntraced(function* (token: string, at = head) {
  const id = yield* submit(token)
  yield* happen(
    id,
    TaskChange.RunStarted({ run: 1, reason: "start" }),
    TaskChange.RepositoryReady({ baseCommit: base }),
    checkpoint(at)
  )
  return id
})

layer(door({ store }), { excludeTestServices: true })("the difference", (it) => {
  it.effect("is empty as long as nothing was changed", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("unchanged")
      const id = yield* submit(token)
      const diff = yield* ask("GET", `/api/v1/tasks/${id}/diff`, { token })
      expect(diff.json).toEqual({ base: null, head: null, files: [], additions: 0, deletions: 0, truncated: false })
      const patch = yield* ask("GET", `/api/v1/tasks/${id}/patch`, { token })
      expect([patch.status, patch.text]).toEqual([200, ""])
      expect((yield* ask("GET", `/api/v1/tasks/${id}/diff/f1`, { token })).status).toBe(404)
    })
  )

  it.effect("has files, hunks of a file, and the patch byte for byte", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("changed")
      const id = yield* worked(token)
      const diff = yield* ask("GET", `/api/v1/tasks/${id}/diff`, { token })
      expect(diff.json).toEqual({ base, head, files: [file], additions: 1, deletions: 2, truncated: false })
      const one = yield* ask("GET", `/api/v1/tasks/${id}/diff/f1`, { token })
      expect(one.json).toEqual({ file, hunks: [hunk], truncated: false })
      expect((yield* ask("GET", `/api/v1/tasks/${id}/diff/f2`, { token })).status).toBe(404)
      const patch = yield* ask("GET", `/api/v1/tasks/${id}/patch`, { token })
      expect(patch.headers.get("content-type")).toBe("text/x-diff")
      expect(patch.text).toBe(`${patchOf}\ufffd\u0000`)
    })
  )

  it.effect("that can't be read is a problem, not a broken download, and tells nothing of the server", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("broken")
      const id = yield* worked(token, broken)
      for (const route of ["diff", "patch"]) {
        const { json, status, text } = yield* ask("GET", `/api/v1/tasks/${id}/${route}`, { token })
        expect([status, json.code]).toEqual([503, "unavailable"])
        expect(text).not.toContain("secret")
      }
    })
  )
})

const log = (token: string, id: TaskId, range?: string) =>
  ask("GET", `/api/v1/tasks/${id}/log`, { token, headers: range === undefined ? {} : { range } })

layer(door({ store }), { excludeTestServices: true })("the log", (it) => {
  const told = Effect.fnUntraced(function* (token: string) {
    const id = yield* submit(token)
    yield* happen(id, TaskChange.RunStarted({ run: 1, reason: "start" }))
    const callId = Schema.decodeSync(ToolCallId)("t1")
    for (let n = 0; n < 5; n++) {
      yield* happen(
        id,
        TaskChange.ToolStarted({ toolCallId: callId, tool: "run_command", input: { command: `echo ${n}` } }),
        TaskChange.ToolFinished({
          toolCallId: callId,
          isError: false,
          exitCode: 0,
          durationMs: 1,
          output: `ä${"x".repeat(100_000)}\n`,
          bytes: 100_003
        })
      )
    }
    return id
  })

  it.effect("is plain text, whole or in ranges", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("reads-log")
      const id = yield* told(token)
      const whole = yield* log(token, id)
      expect([whole.status, whole.headers.get("content-type")]).toEqual([200, "text/plain; charset=utf-8"])
      const bytes = Buffer.from(whole.text)
      expect(whole.headers.get("content-length")).toBe(String(bytes.length))
      const part = yield* log(token, id, "bytes=10-19")
      expect([part.status, part.headers.get("content-range"), part.text]).toEqual([
        206,
        `bytes 10-19/${bytes.length}`,
        bytes.subarray(10, 20).toString()
      ])
      const tail = yield* log(token, id, "bytes=-300000")
      expect(tail.text).toBe(bytes.subarray(-300_000).toString())
      const beyond = yield* log(token, id, `bytes=${bytes.length}-`)
      expect([beyond.status, beyond.json.code, beyond.headers.get("content-range")]).toEqual([
        416,
        "range_not_satisfiable",
        `bytes */${bytes.length}`
      ])
    })
  )
})

layer(door({ store }), { excludeTestServices: true })("the export", (it) => {
  it.effect("is one JSON file with everything", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("exports")
      const id = yield* worked(token)
      yield* ask("POST", `/api/v1/tasks/${id}/messages`, { token, body: { content: "Hi", mode: "queue" } })
      for (let n = 0; n < 450; n++) yield* happen(id, TaskChange.SandboxReady())
      const { headers, json } = yield* ask("GET", `/api/v1/tasks/${id}/export`, { token })
      expect(headers.get("content-disposition")).toBe(`attachment; filename="${id}.json"`)
      expect(Object.keys(json)).toEqual([
        "task",
        "runs",
        "messages",
        "pending",
        "toolCalls",
        "checkpoints",
        "questions",
        "events"
      ])
      expect(json.task.id).toBe(id)
      expect([json.runs.length, json.pending.length, json.checkpoints.length]).toEqual([1, 1, 1])
      const seqs = json.events.map(({ seq }: { seq: number }) => seq)
      expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, index) => index + 1))
      expect(seqs.length).toBeGreaterThan(450)
    })
  )
})
