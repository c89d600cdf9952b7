import { expect, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { EventBus, taskStream } from "../../src/services/EventBus.ts"
import { Sandbox } from "../../src/services/Sandbox.ts"
import { ask, baseUrl, door, submit, tokenFor } from "./door.ts"
import { connect } from "./StreamClient.ts"

/** A sandbox whose health takes a while to tell, and the sign that somebody asked. */
const slow = (asked: Deferred.Deferred<void>) =>
  Layer.mock(Sandbox, {
    networkModes: ["none"],
    health: Deferred.succeed(asked, undefined).pipe(
      Effect.zipRight(Effect.sleep("700 millis")),
      Effect.as({ adapter: "scripted" as const, ready: true, detail: "slow" })
    )
  })

/** Opens server-sent events and gives what comes until they end. */
const serverSent = (url: string, id: string, token: string) =>
  Effect.promise(async () => {
    const response = await fetch(`${url}/api/v1/tasks/${id}/events`, {
      headers: { accept: "text/event-stream", authorization: `Bearer ${token}` }
    })
    return response.text().catch(() => "cut")
  })

it.scopedLive("a server that stops finishes what it answers, ends its streams, and is gone", () =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const asked = yield* Deferred.make<void>()
    const context = yield* Layer.buildWithScope(door({ sandbox: slow(asked) }), scope)
    const close = Effect.timed(Scope.close(scope, Exit.void))

    const before = Effect.gen(function* () {
      const url = yield* baseUrl
      const { token } = yield* tokenFor("ann")
      const id = yield* submit(token)
      const client = yield* connect(url, { authorization: `Bearer ${token}` })
      yield* client.send({ type: "subscribe", stream: `task:${id}`, after: 0 })
      yield* client.next("subscribed")
      const stuck = yield* connect(url, { authorization: `Bearer ${token}` })
      yield* stuck.send({ type: "subscribe", stream: `task:${id}`, after: 0 })
      yield* stuck.next("subscribed")
      stuck.socket.pause()
      const big = { type: "task.paused" as const, reason: "x".repeat(7_000) }
      const bus = yield* EventBus
      for (let n = 0; n < 60; n++)
        yield* bus.append(
          taskStream(id),
          Array.from({ length: 20 }, () => big)
        )
      const events = yield* Effect.fork(serverSent(url, id, token))
      const answer = yield* Effect.fork(ask("GET", "/readyz"))
      yield* Deferred.await(asked)
      return { answer, client, events, id, token, url }
    })
    const { answer, client, events, url } = yield* Effect.provide(before, context)

    const [duration] = yield* close
    expect(Duration.toMillis(duration)).toBeLessThan(5_000)
    expect((yield* client.closed).code).toBe(1001)
    expect((yield* Fiber.join(answer)).status).toBe(200)
    expect(yield* Fiber.join(events)).toContain("id: 1\n")
    expect(yield* Effect.flip(Effect.tryPromise(() => fetch(`${url}/healthz`)))).toBeDefined()
  })
)

it.scopedLive("a port that is taken is an error of the layer, not a crash", () =>
  Effect.gen(function* () {
    const first = yield* Layer.build(door())
    const port = Number(new URL(yield* Effect.provide(baseUrl, first)).port)
    const failure = yield* Effect.flip(Layer.build(door({ settings: { port } })))
    expect(String(failure)).toContain("ServeError")
  })
)
