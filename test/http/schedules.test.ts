import { layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { expect } from "vitest"
import { ClaudeClient } from "../../src/services/ClaudeClient.ts"
import type { ScheduleId } from "../../src/services/Ids.ts"
import { Schedules } from "../../src/services/Schedules.ts"
import { ask, door, newTask, tokenFor } from "./door.ts"

const least = { cron: "30 6 * * mon-fri", timeZone: "Europe/Berlin", task: newTask }

const make = (token: string, more: object = {}, headers: Readonly<Record<string, string>> = {}) =>
  ask("POST", "/api/v1/schedules", { token, body: { ...least, ...more }, headers })

const pathsOf = (json: { errors: ReadonlyArray<{ path: string }> }) => json.errors.map(({ path }) => path)

layer(door(), { excludeTestServices: true })("schedules", (it) => {
  it.effect("are made with the defaults, and read again", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("makes")
      const made = yield* make(token)
      expect([made.status, made.headers.get("location")]).toEqual([201, `/api/v1/schedules/${made.json.id}`])
      const { createdAt, id, nextRunAt, upcoming, updatedAt, ...rest } = made.json
      expect(rest).toEqual({
        ...least,
        title: "Mend the failing test.",
        overlap: "skip",
        catchUp: "one",
        catchUpWindowSeconds: 86_400,
        enabled: true,
        lastRun: null
      })
      expect(id).toMatch(/^schedule_/)
      expect(updatedAt).toBe(createdAt)
      expect(upcoming).toHaveLength(5)
      expect(upcoming[0]).toBe(nextRunAt)
      for (const slot of upcoming) expect(slot).toMatch(/T0[45]:30:00\.000Z$/)
      expect((yield* ask("GET", made.headers.get("location") ?? "", { token })).json).toEqual(made.json)
      expect((yield* ask("GET", "/api/v1/schedules", { token })).json).toEqual({ items: [made.json], nextCursor: null })
      expect((yield* ask("GET", `/api/v1/schedules/${id}/runs`, { token })).json).toEqual({
        items: [],
        nextCursor: null
      })
    })
  )

  it.effect("are checked as tasks are, with the place of each fault", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("checks")
      const refusal = (more: object) =>
        Effect.map(make(token, more), ({ json, status }) => [status, json.code, pathsOf(json)])
      expect(yield* refusal({ cron: "0 0 6 * * *" })).toEqual([422, "invalid_request", ["cron"]])
      expect(yield* refusal({ cron: "0 0 30 2 *" })).toEqual([422, "invalid_request", ["cron"]])
      expect(yield* refusal({ timeZone: "Europe/Atlantis" })).toEqual([422, "invalid_request", ["timeZone"]])
      expect(yield* refusal({ overlap: "queue", every: "day" })).toEqual([422, "invalid_request", ["every", "overlap"]])
      expect(yield* refusal({ catchUpWindowSeconds: 59 })).toEqual([422, "invalid_request", ["catchUpWindowSeconds"]])
      const task = (more: object) => refusal({ task: { ...newTask, ...more } })
      expect(yield* task({ prompt: "" })).toEqual([422, "invalid_request", ["task.prompt"]])
      expect(yield* task({ startAt: "2099-01-01T00:00:00Z" })).toEqual([422, "invalid_request", ["task.startAt"]])
      expect(yield* task({ model: "mystery" })).toEqual([422, "model_price_unknown", ["task.model"]])
      expect(yield* task({ network: { mode: "registries" } })).toEqual([
        422,
        "network_mode_unavailable",
        ["task.network.mode"]
      ])
      expect(yield* task({ repository: { url: "file:///etc" } })).toEqual([
        422,
        "repository_url_refused",
        ["task.repository.url"]
      ])
      expect((yield* ask("GET", "/api/v1/schedules", { token })).json.items).toEqual([])
    })
  )

  it.effect("are paused, resumed and changed", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("changes")
      const { json: made } = yield* make(token)
      const patch = (body: unknown) => ask("PATCH", `/api/v1/schedules/${made.id}`, { token, body })
      expect((yield* patch({ enabled: false })).json).toMatchObject({ enabled: false, nextRunAt: null, upcoming: [] })
      expect((yield* patch({ enabled: true })).json).toMatchObject({ enabled: true, nextRunAt: made.nextRunAt })
      const changed = yield* patch({ cron: "0 12 * * *", timeZone: "UTC", task: { ...newTask, title: "Noon" } })
      expect(changed.json).toMatchObject({ cron: "0 12 * * *", title: made.title, task: { ...newTask, title: "Noon" } })
      expect(changed.json.nextRunAt).toMatch(/T12:00:00\.000Z$/)
      const refused = yield* patch({ task: { ...newTask, model: "mystery" }, cron: "1 1 1 1 1" })
      expect([refused.status, refused.json.code]).toEqual([422, "model_price_unknown"])
      expect((yield* patch({ cron: "1 1 1 1" })).json.errors[0].path).toBe("cron")
      expect((yield* patch({ nextRunAt: made.nextRunAt })).json.errors[0].path).toBe("nextRunAt")
      expect((yield* ask("GET", `/api/v1/schedules/${made.id}`, { token })).json).toEqual(changed.json)
    })
  )

  it.effect("tell what became of their slots, and which tasks are theirs", () =>
    Effect.gen(function* () {
      const { token, user } = yield* tokenFor("tells")
      const { json: made } = yield* make(token)
      const schedules = yield* Schedules
      const schedule = yield* schedules.get(user.id, made.id as ScheduleId)
      const [first, second] = made.upcoming
      const run = {
        slot: first,
        through: null,
        status: "missed",
        reason: "server_down",
        detail: "The server was not running then.",
        taskId: null,
        blockedBy: null,
        recordedAt: first
      } as const
      yield* schedules.settle(schedule, second, Effect.succeed(run))
      const path = `/api/v1/schedules/${made.id}`
      expect((yield* ask("GET", path, { token })).json).toMatchObject({ nextRunAt: second, lastRun: run })
      expect((yield* ask("GET", `${path}/runs?limit=1`, { token })).json).toEqual({ items: [run], nextCursor: null })
      yield* ask("POST", "/api/v1/tasks", { token, body: newTask })
      expect((yield* ask("GET", `/api/v1/tasks?schedule=${made.id}`, { token })).json.items).toEqual([])
    })
  )

  it.effect("are deleted, and are nobody else's", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("owns")
      const { token: other } = yield* tokenFor("does-not-own")
      const { json: made } = yield* make(token)
      const path = `/api/v1/schedules/${made.id}`
      for (const [method, at] of [
        ["GET", path],
        ["PATCH", path],
        ["DELETE", path],
        ["GET", `${path}/runs`]
      ] as const) {
        const { status } = yield* ask(method, at, { token: other, ...(method === "PATCH" ? { body: {} } : {}) })
        expect([method, at, status]).toEqual([method, at, 404])
      }
      expect((yield* ask("DELETE", path, { token })).status).toBe(204)
      expect((yield* ask("GET", path, { token })).status).toBe(404)
      expect((yield* ask("DELETE", path, { token })).status).toBe(404)
    })
  )

  it.effect("are made once for one Idempotency-Key, and a hundred at most", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("many")
      const first = yield* make(token, {}, { "idempotency-key": "one" })
      const again = yield* make(token, {}, { "idempotency-key": "one" })
      expect([again.text, again.headers.get("idempotency-replayed")]).toEqual([first.text, "true"])
      for (let n = 1; n < 100; n++) expect((yield* make(token)).status).toBe(201)
      const { json, status } = yield* make(token)
      expect([status, json.code]).toEqual([409, "schedule_limit_reached"])
    })
  )

  it.effect("can be tried out before they are made", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("tries")
      const preview = (query: string) => ask("GET", `/api/v1/schedules/preview?${query}`, { token })
      const { json } = yield* preview(`cron=${encodeURIComponent("0 0 29 2 *")}&limit=2`)
      expect(json.items).toHaveLength(2)
      for (const slot of json.items) expect(slot).toMatch(/-02-29T00:00:00\.000Z$/)
      const bad = yield* preview("cron=daily&timeZone=UTC")
      expect([bad.status, bad.json.errors[0].path]).toEqual([422, "cron"])
      expect((yield* preview(`cron=*+*+*+*+*&limit=51`)).status).toBe(422)
      expect((yield* preview("")).status).toBe(422)
    })
  )
})

const unconfigured = Layer.mock(ClaudeClient, { configured: Effect.succeed(false) })

layer(door({ claude: unconfigured }), { excludeTestServices: true })("a schedule without a model", (it) => {
  it.effect("is refused as a task is", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("no-model")
      const { json, status } = yield* make(token)
      expect([status, json.code]).toEqual([409, "model_not_configured"])
    })
  )
})
