import { readFileSync } from "node:fs"
import { expect, layer } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import * as BackupsMemory from "../../src/layers/BackupsMemory.ts"
import { version } from "../../src/http/api/version.ts"
import { Sandbox } from "../../src/services/Sandbox.ts"
import { Timestamp } from "../../src/services/Task.ts"
import { ask, door, submit, tokenFor } from "./door.ts"

layer(door(), { excludeTestServices: true })("the server", (it) => {
  it.effect("is alive, in the version of its package", () =>
    Effect.gen(function* () {
      const { json, status } = yield* ask("GET", "/healthz")
      const own = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version
      expect([status, json, version]).toEqual([200, { status: "ok", version: own }, own])
    })
  )

  it.effect("is ready when tasks can run", () =>
    Effect.gen(function* () {
      const { json, status } = yield* ask("GET", "/readyz")
      expect([status, json.ready, json.checks.sandbox]).toEqual([200, true, { ready: true, detail: "scripted" }])
    })
  )

  it.effect("answers questions about a path without its body too", () =>
    Effect.gen(function* () {
      const { headers, status, text } = yield* ask("HEAD", "/healthz")
      expect([status, text, headers.get("content-type")]).toEqual([200, "", "application/json"])
    })
  )

  it.effect("is described to whoever asks", () =>
    Effect.gen(function* () {
      const { json } = yield* ask("GET", "/api/v1/openapi.json")
      expect(json).toEqual(JSON.parse(readFileSync(new URL("../../docs/openapi.json", import.meta.url), "utf8")))
    })
  )

  it.effect("forbids caching and guessing of types in every answer", () =>
    Effect.gen(function* () {
      for (const path of ["/healthz", "/nowhere", "/api/v1/me"]) {
        const { headers } = yield* ask("GET", path)
        expect([headers.get("cache-control"), headers.get("x-content-type-options")]).toEqual(["no-store", "nosniff"])
      }
    })
  )

  it.effect("measures itself, for this machine", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("owner")
      yield* submit(token)
      const { headers, text } = yield* ask("GET", "/metrics")
      expect(headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8")
      expect(text).toContain('errand_tasks{status="queued"} 1')
      expect(text).toMatch(/^errand_http_requests_total\{method="POST",status="201"\} \d+$/m)
      expect(text).toMatch(/^errand_http_request_seconds_bucket\{le="\+Inf"\} \d+$/m)
      expect(text).toMatch(/^process_resident_memory_bytes \d+$/m)
      for (const line of text.split("\n")) {
        expect(line).toMatch(/^(?:|# (?:HELP|TYPE) \w+ .*|[a-zA-Z_:][\w:]*(?:\{.*\})? (?:[\d.e+-]+|[+-]Inf|NaN))$/)
      }
    })
  )

  it.effect("measures itself for owners elsewhere, and for nobody else", () =>
    Effect.gen(function* () {
      const owner = yield* tokenFor("owner")
      const member = yield* tokenFor("member")
      const proxied = { "x-forwarded-for": "127.0.0.1" }
      const statuses = yield* Effect.all([
        ask("GET", "/metrics", { headers: proxied }),
        ask("GET", "/metrics", { headers: proxied, token: member.token }),
        ask("GET", "/metrics", { headers: proxied, token: owner.token })
      ])
      expect(statuses.map(({ status }) => status)).toEqual([401, 403, 200])
    })
  )
})

const behind = BackupsMemory.layerWith({
  replication: { running: true, lagSeconds: Option.some(90), walBytes: 5_000_000, alarm: Option.some("Behind.") },
  lastProof: { provenAt: Timestamp.make("2026-01-01T00:00:00.000Z"), lagSeconds: 0.5, newestEventAt: null }
})

layer(door({ backups: behind }), { excludeTestServices: true })("a server with a replica that is behind", (it) => {
  it.effect("says so, and is ready all the same", () =>
    Effect.gen(function* () {
      const { json, status } = yield* ask("GET", "/readyz")
      expect([status, json.ready]).toEqual([200, true])
      expect(json.backup).toEqual({
        replicating: true,
        lagSeconds: 90,
        provenAt: "2026-01-01T00:00:00.000Z",
        proofAgeSeconds: expect.any(Number),
        alarm: "Behind."
      })
      expect(json.backup.proofAgeSeconds).toBeGreaterThan(86_400)
      const { text } = yield* ask("GET", "/metrics")
      for (const figure of ["replication_up 1", "replication_lag_seconds 90", "wal_bytes 5000000"]) {
        expect(text).toContain(`\nerrand_${figure}\n`)
      }
      expect(text).toContain("\nerrand_restore_proven_timestamp_seconds 1767225600\n")
      expect(text).toContain("\nerrand_restore_proven_lag_seconds 0.5\n")
    })
  )
})

const down = Layer.mock(Sandbox, {
  networkModes: ["none"],
  health: Effect.succeed({ adapter: "docker" as const, ready: false, detail: "No engine answers." })
})

layer(door({ sandbox: down }), { excludeTestServices: true })("a server without an engine", (it) => {
  it.effect("says so, and takes tasks all the same", () =>
    Effect.gen(function* () {
      const { json, status } = yield* ask("GET", "/readyz")
      expect([status, json.ready, json.checks.sandbox]).toEqual([
        503,
        false,
        { ready: false, detail: "No engine answers." }
      ])
      const { token } = yield* tokenFor("ann")
      const id = yield* submit(token)
      expect((yield* ask("GET", `/api/v1/tasks/${id}`, { token })).json.status).toBe("queued")
      expect((yield* ask("GET", "/healthz")).status).toBe(200)
    })
  )
})

const hanging = Layer.mock(Sandbox, { networkModes: ["none"], health: Effect.uninterruptible(Effect.never) })

layer(door({ sandbox: hanging }), { excludeTestServices: true })("an engine that hangs", (it) => {
  it.effect("does not hang the question", () =>
    Effect.gen(function* () {
      const { json, status } = yield* Effect.timeout(ask("GET", "/readyz"), "5 seconds")
      expect([status, json.checks.sandbox.ready]).toEqual([503, false])
    })
  )
})
