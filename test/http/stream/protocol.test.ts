import { expect, layer } from "@effect/vitest"
import { Effect, Option } from "effect"
import { Accounts } from "../../../src/services/Accounts.ts"
import { EventBus, inboxStream, taskStream } from "../../../src/services/EventBus.ts"
import type { TaskId } from "../../../src/services/Ids.ts"
import { TaskChange } from "../../../src/services/TaskChange.ts"
import { ask, baseUrl, door, happen, submit, tokenFor } from "../door.ts"
import { connect } from "../StreamClient.ts"

const sandboxReady = (id: TaskId, times: number) =>
  happen(id, ...Array.from({ length: times }, () => TaskChange.SandboxReady()))

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index)

/** A connection of a new user, and one task of theirs, whose log ends at `head`. */
const signedIn = Effect.fnUntraced(function* (login: string) {
  const url = yield* baseUrl
  const { token, ...rest } = yield* tokenFor(login)
  const id = yield* submit(token)
  const client = yield* connect(url, { authorization: `Bearer ${token}` })
  const head = yield* Effect.flatMap(EventBus, (bus) => bus.head(taskStream(id)))
  return { url, token, id, client, stream: `task:${id}`, head, ...rest }
})

const authorized = (token: string, more: Readonly<Record<string, string>> = {}) => ({
  authorization: `Bearer ${token}`,
  ...more
})

const local = { excludeTestServices: true }

layer(door(), local)("opening the stream", (it) => {
  it.scoped("begins with hello, for a token in the header and for one in the first frame", () =>
    Effect.gen(function* () {
      const { client, token, url, user } = yield* signedIn("opens")
      const hello = yield* client.next("hello")
      expect(hello).toEqual({
        type: "hello",
        protocol: 1,
        version: expect.any(String),
        heartbeatSeconds: 25,
        limits: { authenticateSeconds: 5, frameBytes: 65_536, subscriptions: 64 }
      })
      const other = yield* connect(url)
      expect(yield* other.next("hello")).toEqual(hello)
      yield* other.send({ type: "authenticate", token })
      expect(yield* other.next("authenticated")).toEqual({ type: "authenticated", user })
      yield* other.send({ type: "subscribe", stream: "inbox", after: 0 })
      yield* other.next("subscribed")
    })
  )

  // Seen to fail without the look at tokens in the URL, and at the page.
  it.scoped("is refused before the handshake for a token that is none, or in the URL, or from a foreign page", () =>
    Effect.gen(function* () {
      const { token, url } = yield* signedIn("refused")
      const refused = (headers: Readonly<Record<string, string>>, query = "") =>
        Effect.map(Effect.flip(connect(url, headers, query)), ({ body, status }) => [status, JSON.parse(body).code])
      expect(yield* refused(authorized("wrong"))).toEqual([401, "unauthenticated"])
      expect(yield* refused({ authorization: `Basic ${token}` })).toEqual([401, "unauthenticated"])
      expect(yield* refused(authorized(token), `?token=${token}`)).toEqual([400, "token_in_url"])
      expect(yield* refused(authorized(token), "?access_token=x")).toEqual([400, "token_in_url"])
      expect(yield* refused(authorized(token), `?a=${token}`)).toEqual([400, "token_in_url"])
      expect(yield* refused(authorized(token, { origin: "https://evil.example" }))).toEqual([403, "origin_refused"])
      expect(yield* refused(authorized(token, { origin: "null" }))).toEqual([403, "origin_refused"])
      expect(yield* refused({ host: "evil.example" })).toEqual([421, "host_refused"])
    })
  )

  it.scoped("is possible from a page of the server itself, with any list of subprotocols", () =>
    Effect.gen(function* () {
      const { token, url } = yield* signedIn("same-origin")
      yield* connect(url, authorized(token, { origin: url }))
      const many = Array.from({ length: 1000 }, (_, n) => `p${n}`)
      const client = yield* connect(url, authorized(token), "", many)
      yield* client.next("hello")
    })
  )

  it.effect("needs a WebSocket", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("plain")
      const { headers, json, status } = yield* ask("GET", "/api/v1/stream", { token })
      expect([status, json.code, headers.get("upgrade")]).toEqual([426, "upgrade_required", "websocket"])
    })
  )

  // Both seen to fail with a time of 15 minutes.
  it.scoped("ends with 4401 when nobody signs in in time", () =>
    Effect.gen(function* () {
      const client = yield* connect(yield* baseUrl)
      const { code } = yield* Effect.timeout(client.closed, "7 seconds")
      expect(code).toBe(4401)
    })
  )

  it.scoped("ends with 4401 in time also for a client that talks of other things", () =>
    Effect.gen(function* () {
      const client = yield* connect(yield* baseUrl)
      yield* client.send("nonsense")
      expect((yield* client.next("error")).code).toBe("invalid_frame")
      const { code } = yield* Effect.timeout(client.closed, "7 seconds")
      expect(code).toBe(4401)
    })
  )

  // Seen to fail with an answer that is given before the hang-up, and nothing after it: the end came with the time for signing in.
  it.scoped("ends with 4401 for a wrong token, and for any other frame before", () =>
    Effect.gen(function* () {
      const { stream, url } = yield* signedIn("impatient")
      for (const frame of [
        { type: "authenticate", token: "errand_pat_wrong" },
        { type: "subscribe", stream, after: 0 },
        { type: "ping" }
      ]) {
        const client = yield* connect(url)
        yield* client.send(frame)
        expect((yield* client.next("error")).code).toBe("unauthenticated")
        expect((yield* Effect.timeout(client.closed, "3 seconds")).code).toBe(4401)
        expect(client.seqs(stream)).toEqual([])
      }
    })
  )

  it.scoped("stays with its user when a new token is brought", () =>
    Effect.gen(function* () {
      const { client, token } = yield* signedIn("stays")
      const other = yield* tokenFor("somebody-else")
      yield* client.send({ type: "authenticate", token })
      yield* client.next("authenticated")
      yield* client.send({ type: "authenticate", token: other.token })
      expect((yield* client.closed).code).toBe(4401)
    })
  )
})

layer(door(), local)("a subscription", (it) => {
  it.scoped("gets the backlog, then where it ends, then what happens", () =>
    Effect.gen(function* () {
      const { client, head, id, stream } = yield* signedIn("subscribes")
      yield* sandboxReady(id, 250)
      yield* client.send({ type: "subscribe", stream, after: 0 })
      const subscribed = yield* client.next("subscribed")
      expect(subscribed).toEqual({ type: "subscribed", stream, head: head + 250, epoch: expect.any(String) })
      expect(client.seqs(stream)).toEqual(range(1, head + 250))
      yield* sandboxReady(id, 2)
      yield* client.until(() => client.seqs(stream).length === head + 252)
      expect(client.seqs(stream)).toEqual(range(1, head + 252))
      const first = client.frames.find((frame) => frame.type === "event")
      expect(first).toEqual({
        type: "event",
        stream,
        seq: 1,
        at: expect.any(String),
        event: expect.objectContaining({ type: "task.created" })
      })
    })
  )

  it.scoped("goes on after what the client has, and says when it has nothing to say", () =>
    Effect.gen(function* () {
      const { client, head, id, stream } = yield* signedIn("resumes")
      yield* sandboxReady(id, 2)
      yield* client.send({ type: "subscribe", stream, after: head })
      expect((yield* client.next("subscribed")).head).toBe(head + 2)
      expect(client.seqs(stream)).toEqual([head + 1, head + 2])
      yield* client.send({ type: "subscribe", stream, after: head + 2 })
      expect((yield* client.next("subscribed")).head).toBe(head + 2)
      expect(client.seqs(stream)).toEqual([head + 1, head + 2])
    })
  )

  it.scoped("of the inbox carries cards, and its place is that of the list", () =>
    Effect.gen(function* () {
      const { client, id, token } = yield* signedIn("inbox")
      const { json } = yield* ask("GET", "/api/v1/tasks", { token })
      yield* client.send({ type: "subscribe", stream: "inbox", after: json.seq, epoch: json.epoch })
      yield* client.next("subscribed")
      yield* happen(id, TaskChange.RunStarted({ run: 1, reason: "start" }))
      const { event, seq, stream } = yield* client.next("event")
      expect([stream, seq, event.type]).toEqual(["inbox", json.seq + 1, "task.changed"])
      expect(event.type === "task.changed" && event.task).toMatchObject({ id, status: "running", phase: "preparing" })
    })
  )

  it.scoped("is reset when the client knows another log, or more than there is", () =>
    Effect.gen(function* () {
      const { client, head, id, stream } = yield* signedIn("strays")
      yield* client.send({ type: "subscribe", stream, after: head + 1 })
      expect(yield* client.next("reset")).toEqual({ type: "reset", stream, reason: "ahead", head })
      yield* client.send({ type: "subscribe", stream, after: head, epoch: "another" })
      expect(yield* client.next("reset")).toEqual({ type: "reset", stream, reason: "epoch", head })
      yield* sandboxReady(id, 1)
      yield* client.send({ type: "ping" })
      expect((yield* client.next("pong")).heads).toEqual({})
      expect(client.seqs(stream)).toEqual([])
      const epoch = yield* Effect.flatMap(EventBus, (bus) => bus.epoch)
      yield* client.send({ type: "subscribe", stream, after: 1, epoch })
      expect((yield* client.next("subscribed")).epoch).toBe(epoch)
    })
  )

  it.scoped("of somebody else's task is answered as one of no task", () =>
    Effect.gen(function* () {
      const { id } = yield* signedIn("owns-stream")
      const { client } = yield* signedIn("wants-stream")
      const theirs = `task:${id}`
      for (const stream of [
        theirs,
        "task:task_00000000000000000000000000",
        "task:1",
        "task:",
        "",
        "everything",
        `task:${id.replace("task", "user")}`
      ]) {
        yield* client.send({ type: "subscribe", stream, after: 0 })
        expect(yield* client.next("error")).toEqual({
          type: "error",
          stream,
          code: "not_found",
          message: "There is no such stream, or it is not yours."
        })
      }
      yield* sandboxReady(id, 1)
      yield* client.send({ type: "ping" })
      yield* client.next("pong")
      expect(client.seqs(theirs)).toEqual([])
    })
  )

  it.scoped("of an inbox is only that of the user", () =>
    Effect.gen(function* () {
      const { user } = yield* signedIn("private")
      const { client } = yield* signedIn("nosy")
      yield* client.send({ type: "subscribe", stream: inboxStream(user.id), after: 0 })
      expect((yield* client.next("error")).code).toBe("not_found")
    })
  )

  it.scoped("ends when the client says so, or when the task is deleted", () =>
    Effect.gen(function* () {
      const { client, head, id, stream, token } = yield* signedIn("ends")
      yield* client.send({ type: "subscribe", stream, after: 0 })
      yield* client.next("subscribed")
      yield* client.send([{ type: "unsubscribe", stream }, { type: "ping" }])
      expect((yield* client.next("pong")).heads).toEqual({})
      yield* sandboxReady(id, 1)
      yield* client.send({ type: "subscribe", stream, after: head + 1 })
      yield* client.next("subscribed")
      expect(client.seqs(stream)).toEqual(range(1, head))
      yield* happen(id, TaskChange.Cancelled())
      yield* ask("DELETE", `/api/v1/tasks/${id}`, { token })
      expect(yield* client.next("error")).toMatchObject({ stream, code: "not_found" })
    })
  )

  it.scoped("shows what is being written, but not to those who do not look", () =>
    Effect.gen(function* () {
      const { client, id, stream } = yield* signedIn("previews")
      const bus = yield* EventBus
      const preview = (text: string, offset: number) =>
        bus.preview({ stream: taskStream(id), item: "m1", offset, text })
      yield* client.send({ type: "subscribe", stream, after: 0 })
      yield* client.next("subscribed")
      preview("Hello", 0)
      expect(yield* client.next("preview")).toEqual({ type: "preview", stream, item: "m1", offset: 0, text: "Hello" })
      yield* client.send([{ type: "visibility", visible: false }, { type: "ping" }])
      yield* client.next("pong")
      preview(", hidden", 5)
      yield* client.send([{ type: "visibility", visible: true }, { type: "ping" }])
      yield* client.next("pong")
      preview(" world", 13)
      expect((yield* client.next("preview")).offset).toBe(13)
    })
  )

  it.scoped("answers a ping with the heads of the log", () =>
    Effect.gen(function* () {
      const { client, head, id, stream } = yield* signedIn("pings")
      yield* sandboxReady(id, 3)
      yield* client.send([
        { type: "subscribe", stream, after: 0 },
        { type: "subscribe", stream: "inbox", after: 0 },
        { type: "ping" }
      ])
      expect((yield* client.next("pong")).heads).toEqual({ [stream]: head + 3, inbox: 1 })
    })
  )

  it.scoped("loses and doubles nothing, however many clients come while things happen", () =>
    Effect.gen(function* () {
      const { id, stream, token, url } = yield* signedIn("crowd")
      const writing = yield* Effect.fork(
        Effect.forEach(range(1, 200), (n) => Effect.zipRight(sandboxReady(id, (n % 3) + 1), Effect.sleep("2 millis")))
      )
      const clients = yield* Effect.forEach(range(0, 29), (n) =>
        Effect.gen(function* () {
          const client = yield* connect(url, authorized(token))
          yield* client.send({ type: "subscribe", stream, after: n % 4 === 0 ? 1 : 0 })
          yield* Effect.sleep("10 millis")
          return { client, after: n % 4 === 0 ? 1 : 0 }
        })
      )
      yield* writing
      const head = yield* Effect.flatMap(EventBus, (bus) => bus.head(taskStream(id)))
      for (const { after, client } of clients) {
        yield* client.until(() => client.seqs(stream).at(-1) === head)
        expect(client.seqs(stream)).toEqual(range(after + 1, head))
      }
    })
  )
})

layer(door(), local)("a token that is revoked", (it) => {
  it.scoped("closes its connections at once when a device does it", () =>
    Effect.gen(function* () {
      const { client, device, token, url } = yield* signedIn("loses-phone")
      const phone = yield* tokenFor("loses-phone")
      const other = yield* connect(url, authorized(phone.token))
      yield* ask("DELETE", `/api/v1/devices/${phone.device.id}`, { token })
      expect((yield* Effect.timeout(other.closed, "2 seconds")).code).toBe(4401)
      yield* client.send({ type: "ping" })
      yield* client.next("pong")
      expect(device.id).not.toBe(phone.device.id)
    })
  )

  it.scoped("closes them within five seconds however it was revoked", () =>
    Effect.gen(function* () {
      const { client, device, user } = yield* signedIn("revoked-elsewhere")
      yield* Effect.flatMap(Accounts, (accounts) => accounts.revoke(Option.some(user.id), device.id))
      expect((yield* Effect.timeout(client.closed, "5 seconds")).code).toBe(4401)
    })
  )
})

layer(door({ settings: { publicUrl: Option.some("https://errand.example") } }), local)("behind a proxy", (it) => {
  it.scoped("pages of the public URL may open the stream", () =>
    Effect.gen(function* () {
      const { token, url } = yield* signedIn("proxied")
      yield* connect(url, authorized(token, { host: "errand.example", origin: "https://errand.example" }))
    })
  )
})
