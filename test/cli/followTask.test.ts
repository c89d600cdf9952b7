import { FetchHttpClient } from "@effect/platform"
import { it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Option, Redacted } from "effect"
import { expect } from "vitest"
import { type Connection, ServerSilent, withToken } from "../../src/cli/client/Connection.ts"
import { make } from "../../src/cli/client/ErrandClient.ts"
import { type Followed, followTask } from "../../src/cli/client/followTask.ts"
import * as IdsCounter from "../../src/layers/IdsCounter.ts"
import { type Conversation, event, id, serve, snapshot, stream } from "./streamServer.ts"

const tellShort = (followed: Followed): string => {
  switch (followed._tag) {
    case "Event":
      return followed.event?.type ?? "unknown"
    case "Preview":
      return `preview ${followed.text}`
    case "Replaced":
      return `replaced ${followed.task.status}`
    default:
      return followed._tag
  }
}

const follow = (
  conversations: ReadonlyArray<Conversation>,
  options: { readonly until?: "told"; readonly task?: object; readonly renew?: Connection["renew"] } = {}
) =>
  Effect.gen(function* () {
    const server = yield* serve(conversations, options.task)
    const fixed = withToken(server.url, Redacted.make("errand_pat_x"))
    const connection = { ...fixed, renew: options.renew ?? fixed.renew }
    const client = yield* make(connection)
    const told: Array<string> = []
    const exit = yield* Effect.exit(
      followTask(connection, client, id, options.until ?? "final", (followed) =>
        Effect.sync(() => void told.push(tellShort(followed)))
      )
    )
    return { exit, told, subscriptions: server.subscriptions }
  }).pipe(
    Effect.scoped,
    Effect.timeout("10 seconds"),
    Effect.provide(Layer.merge(FetchHttpClient.layer, IdsCounter.layer))
  )

const messageOf = (exit: Exit.Exit<unknown, { readonly message: string }>) =>
  Exit.isFailure(exit)
    ? Option.getOrUndefined(Option.map(Cause.failureOption(exit.cause), ({ message }) => message))
    : undefined

it.live("tells everything in order until the task is final, and no longer", () =>
  Effect.gen(function* () {
    const { exit, subscriptions, told } = yield* follow([
      ({ live, say }) => {
        say([event(1), event(2)], event(3))
        live(3)
        say({ type: "preview", stream, item: "m:0", offset: 0, text: "hm" }, event(4, "task.completed"), event(5))
      }
    ])
    expect(exit).toEqual(Exit.succeed("completed"))
    expect(told).toEqual(["sandbox.ready", "sandbox.ready", "sandbox.ready", "Live", "preview hm", "task.completed"])
    expect(subscriptions).toEqual([0])
  })
)

it.live("goes on after the last event it saw when the connection breaks, with nothing missing and nothing twice", () =>
  Effect.gen(function* () {
    const { exit, subscriptions, told } = yield* follow([
      ({ close, say }) => {
        say(event(1), event(2))
        close(1001)
      },
      ({ after, epoch, live, say }) => {
        say(event(2), event(3))
        live(3)
        expect([after, epoch]).toEqual([2, undefined])
        say(event(5))
      },
      ({ epoch, live, say }) => {
        expect(epoch).toBe("first")
        say(event(4), event(5), event(6, "task.failed", { code: "c", message: "m" }))
        live(6)
      }
    ])
    expect(exit).toEqual(Exit.succeed("failed"))
    expect(told.filter((each) => each === "sandbox.ready").length).toBe(5)
    expect(told.filter((each) => each === "Lost").length).toBe(2)
    expect(subscriptions).toEqual([0, 2, 3])
  })
)

it.live("does not take an end in the past for the end", () =>
  Effect.gen(function* () {
    const { exit, told } = yield* follow([
      ({ live, say }) => {
        say(event(1, "task.completed"), event(2, "task.queued", { reason: "follow_up" }))
        live(2)
        say(event(3, "task.cancelled"))
      }
    ])
    expect(exit).toEqual(Exit.succeed("cancelled"))
    expect(told).toEqual(["task.completed", "task.queued", "Live", "task.cancelled"])
  })
)

it.live("ends where the past ends, when no more is wanted", () =>
  Effect.gen(function* () {
    const { exit, told } = yield* follow(
      [
        ({ live, say }) => {
          say(event(1))
          live(1)
          say(event(2))
        }
      ],
      { until: "told" }
    )
    expect(exit).toEqual(Exit.succeed("queued"))
    expect(told).toEqual(["sandbox.ready", "Live"])
  })
)

it.live("counts events that it does not know, and skips frames that it does not know", () =>
  Effect.gen(function* () {
    const { told } = yield* follow([
      ({ live, say }) => {
        say({ type: "weather", sunny: true }, event(1, "moon.risen", { phase: "full" }), 7, null, event(2))
        live(2)
        say(event(3, "task.completed"))
      }
    ])
    expect(told).toEqual(["unknown", "sandbox.ready", "Live", "task.completed"])
  })
)

it.live("subscribes again where it was when it was too slow, or when the last frame was lost", () =>
  Effect.gen(function* () {
    const { subscriptions, told } = yield* follow([
      ({ live, say }) => {
        say(event(1))
        live(1)
        say({ type: "reset", stream, reason: "slow", head: 9 })
      },
      ({ live, say }) => {
        say(event(2))
        live(2)
        say({ type: "pong", heads: { [stream]: 3 } })
      },
      ({ live, say }) => {
        say(event(3, "task.completed"))
        live(3)
      }
    ])
    expect(subscriptions).toEqual([0, 1, 2])
    expect(told).toEqual(["sandbox.ready", "Live", "sandbox.ready", "Live", "task.completed", "Live"])
  })
)

it.live("takes a snapshot when the log is another one now", () =>
  Effect.gen(function* () {
    const { exit, subscriptions, told } = yield* follow(
      [
        ({ live, say }) => {
          say(event(1), event(2))
          live(2)
          say({ type: "reset", stream, reason: "epoch", head: 40 })
        },
        ({ epoch, live, say }) => {
          expect(epoch).toBe("second")
          say(event(41))
          live(41, "second")
          say(event(42, "task.completed"))
        }
      ],
      { task: snapshot("running", 40, "second") }
    )
    expect(exit).toEqual(Exit.succeed("completed"))
    expect(subscriptions).toEqual([0, 40])
    expect(told).toEqual([
      "sandbox.ready",
      "sandbox.ready",
      "Live",
      "replaced running",
      "sandbox.ready",
      "Live",
      "task.completed"
    ])
  })
)

const refuses: Conversation = ({ close }) => close(4401)

const completes: Conversation = ({ live, say }) => {
  say(event(1, "task.completed"))
  live(1)
}

it.live("tries once more with another token, when there is one", () =>
  Effect.gen(function* () {
    const renew = Effect.succeed(true)
    expect((yield* follow([refuses, completes], { renew })).exit).toEqual(Exit.succeed("completed"))
    const again = yield* follow([refuses, refuses, completes], { renew })
    expect(messageOf(again.exit)).toContain("errand login")
    expect(again.subscriptions.length).toBe(2)
  })
)

it.live("goes on when the token could not be renewed because the server was away", () =>
  Effect.gen(function* () {
    let asked = 0
    const renew = Effect.suspend(() =>
      ++asked === 1 ? Effect.fail(new ServerSilent({ server: "s" })) : Effect.succeed(true)
    )
    // Fails when what `renew` fails with is passed on (mutation: no `orLost`).
    const { exit, told } = yield* follow([refuses, refuses, completes], { renew })
    expect(exit).toEqual(Exit.succeed("completed"))
    expect(told).toEqual(["Lost", "task.completed", "Live"])
  })
)

it.live("gives up at once when another try can't help", () =>
  Effect.gen(function* () {
    const refused = yield* follow([refuses])
    expect(messageOf(refused.exit)).toContain("errand token create")
    const deleted = yield* follow([({ say }) => say({ type: "error", stream, code: "not_found", message: "Gone." })])
    expect(messageOf(deleted.exit)).toContain("Gone. (not_found)")
  })
)

it.live("reads no faster than it tells", () =>
  Effect.gen(function* () {
    const many = 20_000
    const server = yield* serve([
      ({ live, say }) => {
        for (let seq = 1; seq < many; seq++)
          say(event(seq, "network.blocked", { host: "h".repeat(1_000), reason: "r" }))
        say(event(many, "task.completed"))
        live(many)
      }
    ])
    const connection = withToken(server.url, Redacted.make("errand_pat_x"))
    const client = yield* make(connection)
    let told = 0
    let unread: ReadonlyArray<number> = []
    const tell = Effect.fnUntraced(function* (followed: Followed) {
      if (followed._tag !== "Event" || ++told !== 100) return
      const wait = Effect.sleep("300 millis")
      unread = yield* Effect.replicateEffect(Effect.zipRight(wait, Effect.sync(server.unread)), 2)
    })
    expect(yield* followTask(connection, client, id, "final", tell)).toBe("completed")
    expect(told).toBe(many)
    expect(unread[0]).toBeGreaterThan(1_000_000)
    expect(unread[1]).toBe(unread[0])
  }).pipe(Effect.scoped, Effect.provide(Layer.merge(FetchHttpClient.layer, IdsCounter.layer)))
)
