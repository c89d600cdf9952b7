import { HttpApiClient, HttpClient, HttpClientRequest } from "@effect/platform"
import { expect, layer } from "@effect/vitest"
import { Effect, Fiber, Layer, Option } from "effect"
import { Api } from "../../src/http/Api.ts"
import { EventBus, taskStream } from "../../src/services/EventBus.ts"
import { GitStore } from "../../src/services/GitStore.ts"
import type { TaskId } from "../../src/services/Ids.ts"
import { TaskChange } from "../../src/services/TaskChange.ts"
import { TaskRepo } from "../../src/services/TaskRepo.ts"
import { TaskRunner } from "../../src/services/TaskRunner.ts"
import { Transaction } from "../../src/services/Transaction.ts"
import { ask, baseUrl, door, happen, newTask, submit, tokenFor } from "./door.ts"

/** Which runs were stopped. */
const stopped: Array<TaskId> = []

/** Whose commits the server's repositories need not keep any longer. */
const forgotten: Array<string> = []

const store = Layer.mock(GitStore, { forget: (_, name) => Effect.sync(() => void forgotten.push(name)) })

const runner = Layer.mock(TaskRunner, { stop: (id) => Effect.sync(() => void stopped.push(id)) })

const running = (id: TaskId) => happen(id, TaskChange.RunStarted({ run: 1, reason: "start" }))

layer(door({ runner, store }), { excludeTestServices: true })("tasks", (it) => {
  it.effect("are created with every default, and read as they were created", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("creates")
      const created = yield* ask("POST", "/api/v1/tasks", { token, body: newTask })
      expect(created.status).toBe(201)
      expect(created.headers.get("location")).toBe(`/api/v1/tasks/${created.json.id}`)
      const { branch, createdAt, epoch, id, queuedAt, seq, ...rest } = created.json
      expect(id).toMatch(/^task_[0-9A-HJKMNP-TV-Z]{26}$/)
      expect(branch).toBe(`errand/mend-the-failing-test-${id.slice(-8).toLowerCase()}`)
      expect([createdAt, epoch, queuedAt].every((value) => typeof value === "string")).toBe(true)
      expect(rest).toEqual({
        status: "queued",
        phase: null,
        scheduleId: null,
        title: "Mend the failing test.",
        prompt: "Mend the failing test.",
        repository: { url: "https://git.example/team/project", ref: null },
        baseCommit: null,
        headCommit: null,
        delivery: "branch",
        pullRequest: null,
        ciChanges: [],
        limits: { maxTurns: 100, maxCostUsd: 5, maxDurationSeconds: 7200 },
        network: { mode: "none", hosts: [] },
        approvals: "never",
        model: "claude-test",
        priority: 0,
        tags: [],
        secrets: [],
        startAt: null,
        expiresAt: null,
        position: 0,
        usage: { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0, costUsd: 0 },
        turns: 0,
        workedSeconds: 0,
        error: null,
        pausedReason: null,
        pausedBudget: null,
        run: null,
        startedAt: null,
        finishedAt: null
      })
      expect(seq).toBe(yield* Effect.flatMap(EventBus, (bus) => bus.head(taskStream(id))))
      const read = yield* ask("GET", `/api/v1/tasks/${id}`, { token })
      expect(read.json).toEqual(created.json)
    })
  )

  it.effect("show the run, and the number of the newest event", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("shows")
      const id = yield* submit(token)
      yield* running(id)
      const { json } = yield* ask("GET", `/api/v1/tasks/${id}`, { token })
      const head = yield* Effect.flatMap(EventBus, (bus) => bus.head(taskStream(id)))
      expect(json).toMatchObject({ status: "running", phase: "preparing", position: null, seq: head })
      expect(json.run).toEqual({ number: 1, startedAt: json.startedAt })
    })
  )

  it.effect("take times in any form of RFC 3339 and give one", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("times")
      const body = { ...newTask, startAt: "2099-01-31T13:00:00+01:00", expiresAt: "2099-02-01T00:00:00.123456Z" }
      const { json } = yield* ask("POST", "/api/v1/tasks", { token, body })
      expect([json.startAt, json.expiresAt]).toEqual(["2099-01-31T12:00:00.000Z", "2099-02-01T00:00:00.123Z"])
    })
  )

  it.effect("are listed newest first, filtered, in pages, with the place in the inbox", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("lists")
      const ids: Array<TaskId> = []
      for (const tag of ["a", "b", "a"]) ids.unshift(yield* submit(token, { tags: [tag] }))
      const list = (query: string) => ask("GET", `/api/v1/tasks${query}`, { token })
      const all = (yield* list("")).json
      expect(all.items.map(({ id }: { id: string }) => id)).toEqual(ids)
      expect([all.nextCursor, all.seq]).toEqual([null, 3])
      expect(typeof all.epoch).toBe("string")
      const first = (yield* list("?limit=2")).json
      const second = (yield* list(`?limit=2&cursor=${encodeURIComponent(first.nextCursor)}`)).json
      expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(ids)
      expect(second.nextCursor).toBe(null)
      expect((yield* list("?tag=a")).json.items).toHaveLength(2)
      expect((yield* list("?status=running,completed")).json.items).toHaveLength(0)
      expect((yield* list("?status=queued&status=running")).json.items).toHaveLength(3)
      expect((yield* list("?repository=https://git.example/team/project")).json.items).toHaveLength(3)
      expect((yield* list("?q=failing")).json.items).toHaveLength(3)
      expect((yield* list("?q=nothing")).json.items).toHaveLength(0)
    })
  )

  it.effect("come in pages of bounded size", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("large")
      for (let n = 0; n < 10; n++) yield* submit(token, { prompt: "x".repeat(250_000) })
      const seen: Array<string> = []
      let cursor: string | null = ""
      while (cursor !== null) {
        const query: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`
        const { json, text } = yield* ask("GET", `/api/v1/tasks?limit=50${query}`, { token })
        expect(text.length).toBeLessThan(3 * 1024 * 1024)
        seen.push(...json.items.map(({ id }: { id: string }) => id))
        cursor = json.nextCursor
      }
      expect(new Set(seen).size).toBe(10)
      expect(seen).toHaveLength(10)
    })
  )

  it.effect("are changed, but never their status", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("patches")
      const id = yield* submit(token)
      const patch = (body: unknown) => ask("PATCH", `/api/v1/tasks/${id}`, { token, body })
      const { json } = yield* patch({ title: "New", tags: ["x"], priority: 5, limits: { maxTurns: 7 } })
      expect(json).toMatchObject({
        title: "New",
        tags: ["x"],
        priority: 5,
        limits: { maxTurns: 7, maxCostUsd: 5, maxDurationSeconds: 7200 }
      })
      const refused = yield* patch({ status: "completed", owner: "user_x" })
      expect([refused.status, refused.json.code]).toEqual([422, "invalid_request"])
      expect(refused.json.errors.map(({ path }: { path: string }) => path).toSorted()).toEqual(["owner", "status"])
      const { json: after } = yield* ask("GET", `/api/v1/tasks/${id}`, { token })
      expect(after.status).toBe("queued")
      const { seq } = after
      expect((yield* patch({})).json.seq).toBe(seq)
    })
  )

  it.effect("go on when the limit that paused them is raised", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("raises")
      const id = yield* submit(token, { limits: { maxCostUsd: 1 } })
      yield* running(id)
      yield* happen(id, TaskChange.Paused({ reason: "budget_reached" }))
      const paused = yield* ask("GET", `/api/v1/tasks/${id}`, { token })
      expect(paused.json).toMatchObject({ status: "paused", pausedReason: "budget_reached" })
      const raised = yield* ask("PATCH", `/api/v1/tasks/${id}`, { token, body: { limits: { maxCostUsd: 2 } } })
      expect(raised.json).toMatchObject({ status: "queued", pausedReason: null })
    })
  )

  it.effect("are cancelled: final at once, the run stopped, and nothing on a second time", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("cancels")
      const id = yield* submit(token)
      yield* running(id)
      const cancel = ask("POST", `/api/v1/tasks/${id}/cancel`, { token })
      const first = yield* cancel
      expect([first.status, first.json.status]).toEqual([200, "cancelled"])
      expect(stopped).toContain(id)
      const again = yield* cancel
      expect([again.status, again.json.status, again.json.seq]).toEqual([200, "cancelled", first.json.seq])
    })
  )

  it.effect("are retried when they failed or were cancelled, and only then", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("retries")
      const id = yield* submit(token)
      const retry = ask("POST", `/api/v1/tasks/${id}/retry`, { token })
      const early = yield* retry
      expect([early.status, early.json.code]).toEqual([409, "not_possible_now"])
      yield* happen(id, TaskChange.Cancelled())
      expect((yield* retry).json).toMatchObject({ status: "queued", finishedAt: null })
    })
  )

  it.effect("are deleted when they are final, with everything about them", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("deletes")
      const id = yield* submit(token)
      const remove = ask("DELETE", `/api/v1/tasks/${id}`, { token })
      expect((yield* remove).json.code).toBe("not_possible_now")
      yield* happen(id, TaskChange.Cancelled())
      expect((yield* remove).status).toBe(204)
      expect((yield* ask("GET", `/api/v1/tasks/${id}`, { token })).status).toBe(404)
      expect((yield* remove).status).toBe(404)
      expect(yield* Effect.flatMap(EventBus, (bus) => bus.head(taskStream(id)))).toBe(0)
      expect(forgotten).toEqual([id])
    })
  )
})

/** Runs that take their time to stop, or never do. */
const stopping: Array<string> = []

const slowRunner = Layer.mock(TaskRunner, {
  stop: (id) =>
    Effect.sync(() => void stopping.push(`begins ${id}`)).pipe(
      Effect.zipRight(Effect.sleep("300 millis")),
      Effect.zipRight(Effect.sync(() => void stopping.push(`ends ${id}`)))
    )
})

const waitFor = (holds: () => boolean) =>
  Effect.repeat(Effect.sleep("10 millis"), { until: () => holds() }).pipe(Effect.timeout("5 seconds"))

layer(door({ runner: slowRunner }), { excludeTestServices: true })("a run that is stopped", (it) => {
  it.effect("ends before the answer", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("waits")
      const id = yield* submit(token)
      yield* running(id)
      yield* ask("POST", `/api/v1/tasks/${id}/cancel`, { token })
      expect(stopping).toContain(`ends ${id}`)
    })
  )

  it.effect("ends even when the client hangs up", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("hangs-up")
      const id = yield* submit(token)
      yield* running(id)
      const asking = yield* Effect.fork(ask("POST", `/api/v1/tasks/${id}/cancel`, { token }))
      yield* waitFor(() => stopping.includes(`begins ${id}`))
      yield* Fiber.interrupt(asking)
      yield* waitFor(() => stopping.includes(`ends ${id}`))
    })
  )
})

/** Signals every commit, and takes its time to return from it. */
const commits: Array<string> = []

const slowTransaction = Layer.effect(
  Transaction,
  Effect.map(Transaction, (transaction) =>
    Transaction.of({
      ...transaction,
      run: (effect) =>
        Effect.tap(transaction.run(effect), () =>
          Effect.zipRight(
            Effect.sync(() => void commits.push("committed")),
            Effect.sleep("300 millis")
          )
        )
    })
  )
)

layer(door({ runner: slowRunner, transaction: slowTransaction }), { excludeTestServices: true })(
  "a run whose task was cancelled",
  (it) => {
    it.effect("is stopped also when the client hangs up right after the commit", () =>
      Effect.gen(function* () {
        const { token } = yield* tokenFor("hangs-up-early")
        const id = yield* submit(token)
        yield* running(id)
        const before = commits.length
        const asking = yield* Effect.fork(ask("POST", `/api/v1/tasks/${id}/cancel`, { token }))
        yield* waitFor(() => commits.length > before)
        yield* Fiber.interrupt(asking)
        yield* waitFor(() => stopping.includes(`ends ${id}`))
      })
    )
  }
)

layer(door({ runner: Layer.mock(TaskRunner, { stop: () => Effect.never }) }), {
  excludeTestServices: true
})("a run that does not stop", (it) => {
  it.effect("does not keep the answer", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("impatient")
      const id = yield* submit(token)
      yield* running(id)
      const { json } = yield* Effect.timeout(ask("POST", `/api/v1/tasks/${id}/cancel`, { token }), "10 seconds")
      expect(json.status).toBe("cancelled")
    })
  )
})

const create = (token: string, key: string, body: unknown = newTask) =>
  ask("POST", "/api/v1/tasks", { token, body, headers: { "idempotency-key": key } })

layer(door(), { excludeTestServices: true })("a repeated request", (it) => {
  it.effect("gets the first answer again, byte for byte, and has one effect", () =>
    Effect.gen(function* () {
      const { token, user } = yield* tokenFor("repeats")
      const first = yield* create(token, "key-1")
      yield* happen(first.json.id, TaskChange.Cancelled())
      const second = yield* create(token, "key-1")
      expect(second.text).toBe(first.text)
      expect([first, second].map(({ headers }) => headers.get("idempotency-replayed"))).toEqual([null, "true"])
      expect([second.status, second.headers.get("location")]).toEqual([201, first.headers.get("location")])
      const { items } = yield* Effect.flatMap(TaskRepo, (repo) =>
        repo.list({ owner: user.id }, { limit: 10, cursor: Option.none() })
      )
      expect(items).toHaveLength(1)
    })
  )

  it.effect("with another body is refused", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("conflicts")
      yield* create(token, "key-2")
      const { json, status } = yield* create(token, "key-2", { ...newTask, prompt: "Something else." })
      expect([status, json.code]).toEqual([422, "idempotency_conflict"])
    })
  )

  it.effect("belongs to its user and its route", () =>
    Effect.gen(function* () {
      const one = yield* tokenFor("key-of-one")
      const other = yield* tokenFor("key-of-other")
      const first = yield* create(one.token, "key-3")
      const second = yield* create(other.token, "key-3")
      expect(second.json.id).not.toBe(first.json.id)
      const cancel = yield* ask("POST", `/api/v1/tasks/${first.json.id}/cancel`, {
        token: one.token,
        headers: { "idempotency-key": "key-3" }
      })
      expect(cancel.json.code).toBe("idempotency_conflict")
    })
  )

  it.effect("is not remembered when it failed", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("failed-first")
      expect((yield* create(token, "key-4", { prompt: "no repository" })).status).toBe(422)
      expect((yield* create(token, "key-4")).status).toBe(201)
    })
  )

  it.effect("makes one task of a hundred at once", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("parallel")
      const answers = yield* Effect.all(
        Array.from({ length: 100 }, () => create(token, "key-5")),
        { concurrency: "unbounded" }
      )
      expect(new Set(answers.map(({ json }) => json.id)).size).toBe(1)
      expect(answers.filter(({ headers }) => headers.get("idempotency-replayed") === null)).toHaveLength(1)
    })
  )

  it.effect("needs a key that can be one", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("bad-keys")
      for (const key of ["x".repeat(256), "a b"]) {
        const { json, status } = yield* create(token, key)
        expect([status, json.errors[0].path]).toEqual([422, "Idempotency-Key"])
      }
    })
  )
})

layer(door(), { excludeTestServices: true })("the client made from the API", (it) => {
  it.effect("makes, lists and cancels tasks, and gets problems as values", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("client")
      const httpClient = (yield* HttpClient.HttpClient).pipe(
        HttpClient.mapRequest(HttpClientRequest.bearerToken(token))
      )
      const client = yield* HttpApiClient.makeWith(Api, { httpClient, baseUrl: yield* baseUrl })
      const task = yield* client.tasks.create({ payload: newTask })
      const { items } = yield* client.tasks.list({ urlParams: { status: ["queued", "running"], limit: 5 } })
      expect(items.map(({ id }) => id)).toEqual([task.id])
      const cancelled = yield* client.tasks.cancel({ path: { taskId: task.id } })
      expect(cancelled.status).toBe("cancelled")
      const problem = yield* Effect.flip(client.tasks.create({ payload: { ...newTask, model: "mystery" } }))
      expect(problem).toMatchObject({ _tag: "Problem", status: 422, code: "model_price_unknown" })
      yield* client.tasks.remove({ path: { taskId: task.id } })
      const gone = yield* Effect.flip(client.tasks.get({ path: { taskId: task.id } }))
      expect(gone).toMatchObject({ _tag: "Problem", code: "not_found" })
    })
  )
})
