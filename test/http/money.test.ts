import { expect, layer } from "@effect/vitest"
import { DateTime, Effect } from "effect"
import type { TaskId } from "../../src/services/Ids.ts"
import { TaskChange } from "../../src/services/TaskChange.ts"
import { count } from "../support/someTasks.ts"
import { ask, door, happen, submit, tokenFor } from "./door.ts"

const put = (token: string, body: unknown) => ask("PUT", "/api/v1/budgets", { token, body })
const usage = (token: string, query = "") => ask("GET", `/api/v1/usage${query}`, { token })

const spends = Effect.fnUntraced(function* (id: TaskId, costUsd: number) {
  yield* happen(id, TaskChange.RunStarted({ run: 1, reason: "start" }), count("one", costUsd))
})

const of = (url: string) => ({ url, limitUsd: 1 })

const repository = "https://git.example/team/project"

layer(door(), { excludeTestServices: true })("money", (it) => {
  it.effect("is shown by day, repository, model and task, with the sum of it all", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("spender")
      const today = DateTime.formatIsoDateUtc(yield* DateTime.now)
      const [first, second] = [yield* submit(token), yield* submit(token, { repository: { url: `${repository}-2` } })]
      yield* spends(first, 0.25)
      yield* spends(second, 0.5)
      const tokens = { inputTokens: 100, outputTokens: 20, cacheReadTokens: 3, cacheWriteTokens: 4, responses: 1 }
      const { json, status } = yield* usage(token, "?by=task&limit=1")
      expect([status, json.items]).toEqual([200, [{ key: second, costUsd: 0.5, ...tokens }]])
      expect(json.total).toMatchObject({ costUsd: 0.75, responses: 2, inputTokens: 200 })
      const rest = yield* usage(token, `?by=task&limit=1&cursor=${json.nextCursor}`)
      expect([rest.json.items, rest.json.nextCursor]).toEqual([[{ key: first, costUsd: 0.25, ...tokens }], null])
      const keys = (query: string) =>
        Effect.map(usage(token, query), ({ json }) => json.items.map(({ key }: { key: string }) => key))
      expect(yield* keys("")).toEqual([today])
      expect(yield* keys("?by=repository")).toEqual([`${repository}-2`, repository])
      expect(yield* keys("?by=model")).toEqual(["scripted"])
      expect(yield* keys(`?from=${today}&to=${today}`)).toEqual([today])
      expect(yield* keys("?from=2020-01-01&to=2020-12-31")).toEqual([])
    })
  )

  it.effect("is nobody else's business", () =>
    Effect.gen(function* () {
      const mine = yield* tokenFor("mine")
      const other = yield* tokenFor("other")
      yield* spends(yield* submit(mine.token), 1)
      yield* put(mine.token, { day: { limitUsd: 3 } })
      expect((yield* usage(other.token)).json).toMatchObject({ items: [], total: { costUsd: 0 } })
      expect((yield* ask("GET", "/api/v1/budgets", { token: other.token })).json).toEqual({
        day: null,
        user: null,
        repositories: []
      })
    })
  )

  it.effect("of ranges that make no sense is refused", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("asks")
      for (const [query, path] of [
        ["?from=2026-02-30", "from"],
        ["?from=yesterday", "from"],
        ["?from=0000-01-01", "from"],
        ["?from=2026-02-02&to=2026-02-01", "from"],
        ["?by=hour", "by"],
        ["?user=x", "user"]
      ] as const) {
        const { json, status } = yield* usage(token, query)
        expect([query, status, json.errors?.[0].path]).toEqual([query, 422, path])
      }
      expect((yield* usage(token, "?to=1970-01-01")).json).toMatchObject({ from: "1970-01-01", to: "1970-01-01" })
    })
  )

  it.effect("has budgets, which are replaced as a whole", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("budgets")
      yield* spends(yield* submit(token), 0.3)
      const set = yield* put(token, {
        day: { limitUsd: 5 },
        user: { limitUsd: 50.5 },
        repositories: [{ url: `${repository}.git`, limitUsd: 9, period: "total" }]
      })
      const nothing = { spentUsd: 0.3, reservedUsd: 0, resetsAt: expect.stringMatching(/T00:00:00.000Z$/) }
      expect([set.status, set.json]).toEqual([
        200,
        {
          day: { limitUsd: 5, period: "day", ...nothing },
          user: { limitUsd: 50.5, period: "month", ...nothing },
          repositories: [{ url: `${repository}.git`, limitUsd: 9, period: "total", ...nothing, resetsAt: null }]
        }
      ])
      expect((yield* ask("GET", "/api/v1/budgets", { token })).json).toEqual(set.json)
      expect((yield* put(token, { day: null, user: { limitUsd: 0, period: "total" } })).json).toEqual({
        day: null,
        user: { limitUsd: 0, period: "total", ...nothing, resetsAt: null },
        repositories: []
      })
      expect((yield* put(token, {})).json).toEqual({ day: null, user: null, repositories: [] })
    })
  )

  it.effect("has no budgets that make no sense", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("nonsense")
      for (const [body, path] of [
        [{ day: { limitUsd: -1 } }, "day.limitUsd"],
        [{ day: { limitUsd: "5" } }, "day.limitUsd"],
        [{ day: { limitUsd: 5, period: "month" } }, "day.period"],
        [{ user: { limitUsd: 5, period: "day" } }, "user.period"],
        [{ month: { limitUsd: 5 } }, "month"],
        [{ repositories: [of(repository), of(`${repository}.git`)] }, "repositories.1.url"],
        [{ repositories: [of(repository), of("http://127.0.0.1/x")] }, "repositories.1.url"],
        [{ repositories: Array.from({ length: 101 }, (_, index) => of(`${repository}${index}`)) }, "repositories"]
      ] as const) {
        const { json, status } = yield* put(token, body)
        expect([status, json.errors?.[0].path]).toEqual([422, path])
      }
      const reader = yield* tokenFor("nonsense", ["read"])
      expect((yield* put(reader.token, {})).status).toBe(403)
      expect((yield* ask("GET", "/api/v1/budgets", { token: reader.token })).status).toBe(200)
    })
  )

  it.effect("that a budget was short of resumes its tasks when it is raised, and says so until then", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("short")
      const id = yield* submit(token)
      yield* put(token, { repositories: [{ url: repository, limitUsd: 0.1 }] })
      yield* happen(
        id,
        TaskChange.RunStarted({ run: 1, reason: "start" }),
        TaskChange.Paused({ reason: "budget_reached", budget: { limit: "repository", neededUsd: 0.2 } })
      )
      const get = ask("GET", `/api/v1/tasks/${id}`, { token })
      const pausedBudget = { limit: "repository", neededUsd: 0.2 }
      expect((yield* get).json).toMatchObject({ status: "paused", pausedReason: "budget_reached", pausedBudget })
      const raise = yield* ask("PATCH", `/api/v1/tasks/${id}`, { token, body: { limits: { maxCostUsd: 20 } } })
      expect(raise.json.status).toBe("paused")
      yield* put(token, { repositories: [{ url: repository, limitUsd: 0.3 }] })
      const after = yield* Effect.repeat(get, { until: ({ json }) => json.status !== "paused" })
      expect(after.json).toMatchObject({ status: "queued", pausedReason: null, pausedBudget: null })
    })
  )
})
