import { connect, type Socket } from "node:net"
import { expect, layer } from "@effect/vitest"
import { Effect, Layer, Logger, SubscriptionRef } from "effect"
import * as DiskSpaceMemory from "../../src/layers/DiskSpaceMemory.ts"
import { ClaudeClient } from "../../src/services/ClaudeClient.ts"
import { TaskRepo } from "../../src/services/TaskRepo.ts"
import { ask, baseUrl, door, newTask, tokenFor } from "./door.ts"

/** A cursor that wraps this. */
const wrapped = (key: string) => Buffer.from(key).toString("base64url")

const create = (token: string, body: unknown, headers = {}) => ask("POST", "/api/v1/tasks", { token, body, headers })

/** Writes bytes to the server and gives everything that it answers until it closes, or `patience` is over. */
const raw = (text: string, patience = 10_000) =>
  Effect.flatMap(baseUrl, (url) =>
    Effect.async<string>((resume) => {
      const { hostname, port } = new URL(url)
      let answer = ""
      const socket: Socket = connect(Number(port), hostname, () => socket.write(text))
      const done = () => {
        clearTimeout(timer)
        socket.destroy()
        resume(Effect.succeed(answer))
      }
      const timer = setTimeout(done, patience)
      socket.on("data", (data) => (answer += data.toString()))
      socket.on("close", done).on("error", done)
    })
  )

layer(door(), { excludeTestServices: true })("a body", (it) => {
  const nothingStored = Effect.gen(function* () {
    const repo = yield* TaskRepo
    expect(yield* repo.withStatus(["queued"])).toEqual([])
    expect((yield* ask("GET", "/healthz")).status).toBe(200)
  })

  it.effect("is told in its own words where null would do too, and so is a query", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("words")
      const budget = yield* ask("PUT", "/api/v1/budgets", { token, body: { day: { limitUsd: -1 }, user: 5 } })
      expect(budget.json.errors).toEqual([
        { path: "day.limitUsd", message: "must be a number between 0 and 1000000" },
        { path: "user", message: "must be an object" }
      ])
      const questions = yield* ask("GET", "/api/v1/questions?status=zzz", { token })
      expect(questions.json.errors).toEqual([
        { path: "status", message: "must be one of open, answered, expired, cancelled" }
      ])
    })
  )

  it.effect.each<[string, unknown, number, string]>([
    ["is not JSON", "{oops", 400, "malformed_json"],
    ["is half of JSON", '{"prompt": "x', 400, "malformed_json"],
    ["is not UTF-8", new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]), 400, "malformed_json"],
    ["is nested deeply", "[".repeat(100_000), 400, "malformed_json"],
    ["is nested deeply and closed", "[".repeat(100_000) + "]".repeat(100_000), 400, "malformed_json"],
    ["is nested deeply in a field", `{"prompt":${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)}}`, 400, "malformed_json"],
    ["is too large", JSON.stringify({ ...newTask, prompt: "x".repeat(1_100_000) }), 413, "payload_too_large"],
    ["is a number", "1", 422, "invalid_request"],
    ["is null", "null", 422, "invalid_request"],
    ["is an array", "[]", 422, "invalid_request"],
    ["is empty", "{}", 422, "invalid_request"]
  ])("that %s is refused", ([, body, status, code]) =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("sends")
      const reply = yield* create(token, body)
      expect([reply.status, reply.json.code]).toEqual([status, code])
      expect(reply.headers.get("content-type")).toBe("application/problem+json")
      expect(reply.json).toMatchObject({
        status,
        type: `urn:errand:problem:${code}`,
        requestId: reply.headers.get("x-request-id")
      })
      yield* nothingStored
    })
  )

  // Seen to fail without the bound of the prompt, its count in bytes, the looks for NUL, half pairs and what shows nothing, and
  // with control characters in a line.
  it.effect.each<[string, object, string]>([
    ["unknown property", { owner: "user_x" }, "owner"],
    ["unknown property inside", { limits: { maxTurns: 1, maxFun: 1 } }, "limits.maxFun"],
    ["wrong type", { prompt: 7 }, "prompt"],
    ["empty prompt", { prompt: "  \n" }, "prompt"],
    ["prompt that shows nothing", { prompt: "\u200b\u2060 \u{e0041}" }, "prompt"],
    ["long prompt", { prompt: "ä".repeat(140_000) }, "prompt"],
    ["NUL", { prompt: "a\u0000b" }, "prompt"],
    ["lone surrogate", { prompt: "a\ud800b" }, "prompt"],
    ["long title", { title: "x".repeat(201) }, "title"],
    ["control characters in the title", { title: "a\u001b[31m" }, "title"],
    ["ten thousand tags", { tags: Array.from({ length: 10_000 }, () => "a") }, "tags"],
    ["ten thousand wrong tags", { tags: Array.from({ length: 10_000 }, (_, n) => n) }, "tags"],
    ["long tag", { tags: ["x".repeat(65)] }, "tags.0"],
    ["fraction of a turn", { limits: { maxTurns: 1.5 } }, "limits.maxTurns"],
    ["negative money", { limits: { maxCostUsd: -1 } }, "limits.maxCostUsd"],
    ["unknown delivery", { delivery: "mail" }, "delivery"],
    ["time that is none", { startAt: "tomorrow" }, "startAt"],
    ["time without zone", { startAt: "2026-01-01T00:00:00" }, "startAt"],
    ["day that is none", { startAt: "2026-02-31T25:00:00Z" }, "startAt"],
    ["ref that is an option", { repository: { ...newTask.repository, ref: "--upload-pack=x" } }, "repository.ref"],
    ["ref with dots", { repository: { ...newTask.repository, ref: "a..b" } }, "repository.ref"],
    ["host with a path", { network: { mode: "allowlist", hosts: ["a.example/x"] } }, "network.hosts.0"],
    ["local repository", { repository: { url: "/etc" } }, "repository.url"],
    ["repository that is an option", { repository: { url: "--upload-pack=touch /tmp/x" } }, "repository.url"],
    ["repository at a private address", { repository: { url: "https://169.254.169.254/a/b" } }, "repository.url"],
    ["repository with a password", { repository: { url: "https://user:canary@git.example/a/b" } }, "repository.url"]
  ])("with %s is refused by name", ([, change, path]) =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("names")
      const reply = yield* create(token, { ...newTask, ...change })
      expect(reply.status).toBe(422)
      expect(reply.json.errors.map((error: { path: string }) => error.path)).toContain(path)
      expect(reply.json.errors.length).toBeLessThanOrEqual(20)
      expect(reply.text.length).toBeLessThan(5_000)
      expect(reply.text).not.toContain("canary")
      yield* nothingStored
    })
  )

  it.effect.each([
    ["1e309", `{"repository":{"url":"https://git.example/a/b"},"prompt":"x","priority":1e309}`, "priority"],
    [
      "__proto__",
      `{"repository":{"url":"https://git.example/a/b"},"prompt":"x","__proto__":{"priority":1}}`,
      "__proto__"
    ],
    [
      "constructor",
      `{"repository":{"url":"https://git.example/a/b"},"prompt":"x","constructor":{"a":1}}`,
      "constructor"
    ]
  ])("with %s is refused", ([, body, path]) =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("pollutes")
      const reply = yield* create(token, body)
      expect([reply.status, reply.json.errors[0].path]).toEqual([422, path])
      expect(({} as { priority?: number }).priority).toBe(undefined)
    })
  )

  it.effect.each([
    ["text/plain"],
    ["application/x-www-form-urlencoded"],
    ["application/json; charset=latin1"],
    ["multipart/form-data; boundary=x"],
    ["application/jsonx"]
  ])("of the type %s is refused", ([type]) =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("types")
      const reply = yield* create(token, newTask, { "content-type": type })
      expect([reply.status, reply.json.code]).toEqual([415, "unsupported_media_type"])
      const compressed = yield* create(token, newTask, { "content-encoding": "gzip" })
      expect(compressed.status).toBe(415)
    })
  )

  it.effect("is taken with what is usual", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("usual")
      const twice = `{"prompt":"first","repository":{"url":"https://git.example/a/b"},"prompt":"last"}`
      const reply = yield* create(token, twice, { "content-type": 'Application/JSON; charset="UTF-8"' })
      expect([reply.status, reply.json.prompt]).toEqual([201, "last"])
      const cancel = yield* ask("POST", `/api/v1/tasks/${reply.json.id}/cancel`, { token })
      const again = yield* ask("POST", `/api/v1/tasks/${reply.json.id}/cancel`, { token, body: {} })
      expect([cancel.status, again.status]).toEqual([200, 200])
      expect((yield* ask("POST", `/api/v1/tasks/${reply.json.id}/cancel`, { token, body: { now: true } })).status).toBe(
        422
      )
    })
  )
})

layer(door(), { excludeTestServices: true })("a connection", (it) => {
  it.effect("that announces twenty megabytes is answered, and can be used again", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("heavy")
      for (const body of ["x".repeat(20_000_000), new Uint8Array(20_000_000)]) {
        const reply = yield* create(token, body)
        expect([reply.status, reply.json.code]).toEqual([413, "payload_too_large"])
      }
      expect((yield* ask("GET", "/api/v1/me", { token })).status).toBe(200)
    })
  )

  it.effect("that sends too much without announcing it is answered", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("chunked")
      const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`
      const answer = yield* raw(
        `POST /api/v1/tasks HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n${chunk.repeat(20)}0\r\n\r\n`
      )
      expect(answer).toMatch(/^HTTP\/1.1 413 /)
      expect(answer).toContain("payload_too_large")
    })
  )

  it.effect("that asks first is told not to send", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("asks")
      const head = `POST /api/v1/tasks HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\nexpect: 100-continue\r\n`
      const refused = yield* raw(`${head}content-length: 20000000\r\n\r\n`)
      expect(refused).toMatch(/^HTTP\/1.1 413 /)
      const body = JSON.stringify(newTask)
      const taken = yield* raw(
        `${head}connection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
      )
      expect(taken).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 201 /)
    })
  )

  it.effect.each<[string, string, string]>([
    ["is not HTTP", "hello\r\n\r\n", "400"],
    ["has headers that are too long", `GET / HTTP/1.1\r\nhost: x\r\nx: ${"x".repeat(20_000)}\r\n\r\n`, "431"],
    [
      "has two lengths",
      "POST /api/v1/tasks HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
      "400"
    ]
  ])("that %s gets a problem", ([, text, status]) =>
    Effect.gen(function* () {
      const answer = yield* raw(text)
      expect(answer.startsWith(`HTTP/1.1 ${status} `)).toBe(true)
      expect(answer).toContain("application/problem+json")
    })
  )

  it.effect(
    "that sends its headers slowly is ended",
    () =>
      Effect.gen(function* () {
        const answer = yield* raw("GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n", 18_000)
        expect(answer).toMatch(/^HTTP\/1.1 408 /)
      }),
    20_000
  )
})

layer(door(), { excludeTestServices: true })("a request", (it) => {
  it.effect("for a path that nobody knows, or with a method that it has not, is a problem", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("lost")
      for (const path of [
        "/",
        "/api/v1",
        "/api/v1/secrets/a/b",
        "/api/v1/nowhere",
        "/api/v1/push/subscriptions",
        "/auth/pair",
        "/webhooks/github",
        "/api/v1/tasks/x/y",
        "/API/V1/tasks"
      ]) {
        const reply = yield* ask("GET", path, { token })
        expect([path, reply.status, reply.json.code]).toEqual([path, 404, "not_found"])
      }
      for (const [method, path, allow] of [
        ["PUT", "/api/v1/tasks", "POST, GET, HEAD"],
        ["OPTIONS", "/api/v1/me", "GET, HEAD"],
        ["POST", "/healthz", "GET, HEAD"],
        ["POST", "/api/v1/stream", "GET, HEAD"]
      ] as const) {
        const reply = yield* ask(method, path, { token })
        expect([path, reply.status, reply.headers.get("allow")]).toEqual([path, 405, allow])
      }
    })
  )

  it.effect("with a query that nobody knows is refused by name", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("asks-oddly")
      const paths = (query: string) =>
        Effect.map(ask("GET", `/api/v1/tasks${query}`, { token }), ({ json, status }) => [
          status,
          ...json.errors.map((error: { path: string }) => error.path)
        ])
      expect(yield* paths("?token=x")).toEqual([422, "token"])
      expect(yield* paths("?limit=0")).toEqual([422, "limit"])
      expect(yield* paths("?limit=201")).toEqual([422, "limit"])
      expect(yield* paths("?limit=1e1000")).toEqual([422, "limit"])
      expect(yield* paths("?limit=5&limit=6")).toEqual([422, "limit"])
      expect(yield* paths("?status=done")).toEqual([422, "status"])
      expect(yield* paths(`?q=${"x".repeat(1001)}`)).toEqual([422, "q"])
    })
  )

  it.effect("survives any words to search for", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("searches")
      for (const q of ['"', "a AND", "NEAR(", "*", "'; DROP TABLE tasks; --", "x:y", "\\", "😀", "%", " "]) {
        const reply = yield* ask("GET", `/api/v1/tasks?q=${encodeURIComponent(q)}`, { token })
        expect([q, reply.status]).toEqual([q, 200])
      }
    })
  )

  it.effect("refuses a cursor that no page has given, in every list", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("pages")
      const { id } = (yield* create(token, newTask)).json
      const parts = ["messages", "tool-calls", "checkpoints", "events"].map((part) => `tasks/${id}/${part}`)
      const lists = ["tasks", "questions", "usage?by=day", ...parts]
      const forged = [
        "",
        "garbage",
        "%00",
        wrapped("-1"),
        wrapped("NaN"),
        wrapped("x y"),
        wrapped("1;1"),
        "MQ".repeat(3000)
      ]
      for (const list of lists) {
        for (const cursor of forged) {
          const join = list.includes("?") ? "&" : "?"
          const { json, status } = yield* ask("GET", `/api/v1/${list}${join}cursor=${cursor}`, { token })
          expect([list, cursor, status, json.errors?.[0]?.path]).toEqual([list, cursor, 422, "cursor"])
        }
      }
    })
  )

  it.effect("has a name, that the client may choose", () =>
    Effect.gen(function* () {
      const named = yield* ask("GET", "/nowhere", { headers: { "x-request-id": "my-request-1" } })
      expect([named.headers.get("x-request-id"), named.json.requestId]).toEqual(["my-request-1", "my-request-1"])
      const odd = yield* ask("GET", "/nowhere", { headers: { "x-request-id": 'a"b<script>' } })
      expect(odd.headers.get("x-request-id")).toMatch(/^[0-9A-Z]{26}$/)
    })
  )

  it.effect("under a name that may lead anywhere is refused", () =>
    Effect.gen(function* () {
      const answer = yield* raw("GET /healthz HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n")
      expect(answer).toMatch(/^HTTP\/1.1 421 /)
      expect(answer).toContain("host_refused")
    })
  )
})

const unconfigured = Layer.mock(ClaudeClient, { configured: Effect.succeed(false) })

layer(door({ claude: unconfigured }), { excludeTestServices: true })("a server without a model", (it) => {
  it.effect("refuses tasks with the remedy", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("ann")
      const { json, status } = yield* create(token, newTask)
      expect([status, json.code]).toEqual([409, "model_not_configured"])
      expect(json.detail).toContain("ANTHROPIC_API_KEY")
    })
  )
})

const full = Layer.unwrapEffect(Effect.map(SubscriptionRef.make(true), DiskSpaceMemory.layerWith))

layer(door({ disk: full }), { excludeTestServices: true })("a server without room", (it) => {
  it.effect("refuses tasks, and says so", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("ann")
      const { json, status } = yield* create(token, newTask)
      expect([status, json.code]).toEqual([507, "storage_full"])
      const ready = yield* ask("GET", "/readyz")
      expect([ready.status, ready.json.checks.storage.ready]).toEqual([503, false])
    })
  )
})

const broken = Layer.mock(ClaudeClient, { configured: Effect.die(new Error("canary: a defect with secrets")) })

const logged: Array<string> = []

const logger = Logger.replace(
  Logger.defaultLogger,
  Logger.make((options) => void logged.push(Logger.logfmtLogger.log(options)))
)

layer(door({ claude: broken, logger }), { excludeTestServices: true })("a defect", (it) => {
  it.effect("is answered with nothing of what happened inside, and logged with the name of the request", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("ann")
      const { headers, json, status, text } = yield* create(token, newTask)
      expect([status, json.code, json.requestId]).toEqual([500, "internal_error", headers.get("x-request-id")])
      expect(text).not.toContain("canary")
      const lines = logged.filter((line) => line.includes(json.requestId))
      expect(lines).toHaveLength(1)
      expect(lines[0]).toContain("canary")
      expect(lines[0]).not.toContain(token)
      expect((yield* ask("GET", "/healthz")).status).toBe(200)
    })
  )
})
