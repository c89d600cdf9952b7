import { expect, layer } from "@effect/vitest"
import { Effect, Option, Redacted, Schema } from "effect"
import { Accounts } from "../../src/services/Accounts.ts"
import { QuestionId, ToolCallId } from "../../src/services/Ids.ts"
import { TaskChange } from "../../src/services/TaskChange.ts"
import { TaskRepo } from "../../src/services/TaskRepo.ts"
import { ask, baseUrl, door, happen, type Reply, submit, tokenFor } from "./door.ts"
import { bodyFor, fill, type Route, usersRoutes } from "./routes.ts"

const missing = {
  taskId: "task_00000000000000000000000000",
  messageId: "msg_00000000000000000000000000",
  questionId: "question_00000000000000000000000000",
  deviceId: "device_00000000000000000000000000",
  userId: "user_00000000000000000000000000",
  pairingId: "2222",
  toolCallId: "none",
  fileId: "none",
  host: "none.example"
}

/** A task with one of everything, and the ids of it all. */
const belongings = Effect.fnUntraced(function* (token: string, deviceId: string) {
  const taskId = yield* submit(token)
  const toolCallId = Schema.decodeSync(ToolCallId)("toolu_1")
  const questionId = Schema.decodeSync(QuestionId)("question_00000000000000000000000007")
  yield* happen(
    taskId,
    TaskChange.RunStarted({ run: 1, reason: "start" }),
    TaskChange.ToolStarted({ toolCallId, tool: "run_command", input: {} }),
    TaskChange.QuestionOpened({
      questionId,
      toolCallId,
      kind: "approval",
      title: "May I?",
      detail: "",
      choices: [],
      expiresAt: "2099-01-01T00:00:00.000Z",
      default: { decision: "deny" }
    })
  )
  const message = yield* ask("POST", `/api/v1/tasks/${taskId}/messages`, {
    token,
    body: { content: "x", mode: "queue" }
  })
  const host = "git.example"
  yield* ask("PUT", `/api/v1/git-credentials/${host}`, { token, body: { kind: "token", value: "x" } })
  const pairing = yield* ask("POST", "/api/v1/auth/pair", { token, body: {} })
  const me = yield* ask("GET", "/api/v1/me", { token })
  return {
    taskId,
    toolCallId,
    questionId,
    messageId: message.json.id,
    deviceId,
    host,
    fileId: "f1",
    userId: me.json.id,
    pairingId: pairing.json.id
  }
})

const request = (route: Route, values: Readonly<Record<string, string>>, more: Parameters<typeof ask>[2]) =>
  ask(route.method, fill(route.path, values), { ...more, body: bodyFor(route) })

/** An answer without what is different in every answer. */
const essence = ({ json, status, text }: Reply) => ({
  status,
  body: json === undefined ? text : { ...json, requestId: undefined }
})

layer(door(), { excludeTestServices: true })("every route of a user", (it) => {
  it.effect("refuses whoever shows no token, or something that is none", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("owner")
      const headers = [
        {},
        { authorization: "" },
        { authorization: "Bearer" },
        { authorization: `Basic ${token}` },
        { authorization: `Digest!${token}` },
        { authorization: token },
        { authorization: `Bearer ${token}x` },
        { authorization: `Bearer ${token} ${token}` },
        { authorization: `Bearer ${"x".repeat(5000)}` }
      ]
      for (const route of usersRoutes) {
        for (const header of headers) {
          const reply = yield* request(route, missing, { headers: header })
          expect([route.name, header, reply.status, reply.json?.code]).toEqual([
            route.name,
            header,
            401,
            "unauthenticated"
          ])
          expect(reply.headers.get("www-authenticate")).toMatch(/^Bearer /)
        }
      }
    })
  )

  it.effect("takes the word Bearer in any case", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("shouts")
      const { status } = yield* ask("GET", "/api/v1/me", { headers: { authorization: `BEARER  ${token}` } })
      expect(status).toBe(200)
    })
  )

  it.effect("refuses a token that was revoked", () =>
    Effect.gen(function* () {
      const { device, token, user } = yield* tokenFor("revoked")
      const accounts = yield* Accounts
      yield* accounts.revoke(Option.some(user.id), device.id)
      for (const route of usersRoutes) {
        expect((yield* request(route, missing, { token })).status).toBe(401)
      }
    })
  )

  it.effect("lets a token that may read only read", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("reads", ["read"])
      for (const route of usersRoutes) {
        const { json, status } = yield* request(route, missing, { token })
        const expected = route.method === "GET" ? (route.group === "users" ? [403] : [200, 404, 422]) : [403]
        expect([route.name, expected.includes(status)]).toEqual([route.name, true])
        if (route.method !== "GET") expect(json.code).toBe("scope_missing")
      }
    })
  )

  it.effect("answers for what is somebody else's exactly as for what is not there, and changes nothing", () =>
    Effect.gen(function* () {
      const victim = yield* tokenFor("victim")
      const attacker = yield* tokenFor("attacker")
      const theirs = yield* belongings(victim.token, victim.device.id)
      const repo = yield* TaskRepo
      const before = yield* repo.get(theirs.taskId)
      const pending = yield* repo.pending(theirs.taskId)
      const accounts = yield* Accounts
      const { cookie } = yield* accounts.openBrowserSession(attacker.user.id, "browser")
      const inBrowser = { cookie: `errand_session=${Redacted.value(cookie)}`, origin: yield* baseUrl }
      expect((yield* ask("GET", "/api/v1/me", { headers: inBrowser })).json.login).toBe("attacker")
      for (const asking of [{ token: attacker.token }, { headers: inBrowser }]) {
        for (const route of usersRoutes.filter(({ path }) => /:(?!host|secretName)/.test(path))) {
          const reply = yield* request(route, theirs, asking)
          const absent = yield* request(route, missing, asking)
          expect([route.name, reply.status]).toEqual([route.name, route.group === "users" ? 403 : 404])
          expect(essence(reply)).toEqual(essence(absent))
        }
      }
      for (const path of ["/api/v1/tasks", "/api/v1/questions", "/api/v1/git-credentials", "/api/v1/secrets"]) {
        expect((yield* ask("GET", path, { token: attacker.token })).json.items).toEqual([])
      }
      expect(
        (yield* ask("GET", "/api/v1/tasks?q=x&repository=https://git.example/team/project", { token: attacker.token }))
          .json.items
      ).toEqual([])
      expect(yield* repo.get(theirs.taskId)).toEqual(before)
      expect(yield* repo.pending(theirs.taskId)).toEqual(pending)
      expect((yield* ask("GET", "/api/v1/me", { token: victim.token })).status).toBe(200)
      expect((yield* ask("GET", "/api/v1/git-credentials", { token: victim.token })).json.items).toHaveLength(1)
    })
  )

  it.effect("does not find ids that are none", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("curious")
      const id = yield* submit(token)
      const odd = [
        "1",
        id.toLowerCase(),
        id.replace("task_", "msg_"),
        `${id}%00`,
        `${id}%20`,
        "..%2f..%2fetc%2fpasswd",
        "%F0%9F%98%80",
        "%zz",
        "%C3%28",
        "x".repeat(10_000),
        "task_ZZZZZZZZZZZZZZZZZZZZZZZZZZ",
        "__proto__",
        "constructor"
      ]
      for (const route of usersRoutes.filter(({ path }) => path.includes(":taskId"))) {
        for (const taskId of odd) {
          const reply = yield* request(route, { ...missing, taskId }, { token })
          expect([route.name, taskId, reply.status, reply.json.code]).toEqual([route.name, taskId, 404, "not_found"])
        }
      }
    })
  )

  it.effect("knows nothing of a task under the id of another kind", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("mixes")
      const ids = yield* belongings(token, missing.deviceId)
      const wrong = [
        ["DELETE", `/api/v1/tasks/${ids.taskId}/messages/${ids.questionId}`],
        ["POST", `/api/v1/questions/${ids.taskId}/answer`],
        ["DELETE", `/api/v1/devices/${ids.taskId}`]
      ] as const
      const statuses = yield* Effect.forEach(wrong, ([method, path]) =>
        Effect.map(
          ask(method, path, { token, ...(method === "POST" ? { body: { revision: 1, decision: "allow" } } : {}) }),
          ({ status }) => status
        )
      )
      expect(statuses).toEqual([404, 404, 404])
    })
  )
})
