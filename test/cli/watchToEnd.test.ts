import { FetchHttpClient } from "@effect/platform"
import { it } from "@effect/vitest"
import { Effect, Exit, Layer, Redacted, Schema } from "effect"
import { expect } from "vitest"
import { withToken } from "../../src/cli/client/Connection.ts"
import { make } from "../../src/cli/client/ErrandClient.ts"
import { watchToEnd } from "../../src/cli/client/runTask.ts"
import { exitCodeOf } from "../../src/cli/outcome.ts"
import { layOut, type Line } from "../../src/cli/render/Line.ts"
import { Screen } from "../../src/cli/Screen.ts"
import { make as makeSignals, type Signal, Signals } from "../../src/cli/Signals.ts"
import { TaskView } from "../../src/http/api/TaskView.ts"
import * as IdsCounter from "../../src/layers/IdsCounter.ts"
import { type Conversation, event, serve, snapshot } from "./streamServer.ts"

const text = (lines: ReadonlyArray<Line>) =>
  lines.flatMap((line) => layOut(line, { columns: undefined, color: false })).join("\n")

interface Person {
  readonly interactive?: boolean
  readonly json?: boolean
  /** Sent as soon as something was printed, each after the one before was taken. */
  readonly signals?: ReadonlyArray<Signal>
}

/** Watches a task as a person at a terminal (or a program) does. */
const watch = (
  conversation: Conversation,
  status: string,
  { interactive = false, json = false, signals = [] }: Person = {}
) =>
  Effect.gen(function* () {
    const task = snapshot(status, 3, "first")
    const server = yield* serve([conversation], task)
    const connection = withToken(server.url, Redacted.make("errand_pat_x"))
    const pressed = yield* makeSignals
    const printed: Array<string> = []
    let bottom = ""
    const screen = Screen.of({
      interactive,
      color: false,
      print: (lines, below) =>
        Effect.zipRight(
          Effect.sync(() => {
            printed.push(text(lines))
            if (below !== undefined) bottom = text(below)
          }),
          printed.length === 1 ? Effect.sync(() => signals.forEach(pressed.unsafeSend)) : Effect.void
        ),
      show: (lines) => Effect.sync(() => void (bottom = text(lines))),
      write: (each) => Effect.sync(() => void printed.push(each.trimEnd()))
    })
    const client = yield* make(connection)
    const exit = yield* Effect.exit(
      watchToEnd(connection, client, yield* Schema.decodeUnknown(TaskView)(task), { json })
    ).pipe(Effect.provideService(Screen, screen), Effect.provideService(Signals, pressed.signals))
    return { code: exitCodeOf(exit), printed, bottom, requests: server.requests }
  }).pipe(
    Effect.scoped,
    Effect.timeout("10 seconds"),
    Effect.provide(Layer.merge(FetchHttpClient.layer, IdsCounter.layer))
  )

const ends =
  (type: string, more: object = {}): Conversation =>
  ({ live, say }) => {
    say(event(1), event(2, type, more))
    live(2)
  }

const goesOn: Conversation = ({ live, say }) => {
  say(event(1), event(2))
  live(2)
}

it.live("is a success for a completed task alone", () =>
  Effect.gen(function* () {
    expect((yield* watch(ends("task.completed"), "completed")).code).toBe(0)
    expect((yield* watch(ends("task.failed", { code: "c", message: "m" }), "failed")).code).toBe(1)
    expect((yield* watch(ends("task.cancelled"), "cancelled")).code).toBe(1)
  })
)

it.live("gives programs every frame as it came, and the task last", () =>
  Effect.gen(function* () {
    const { printed } = yield* watch(ends("task.completed"), "completed", { json: true })
    expect(printed.map((line) => JSON.parse(line))).toEqual([
      event(1),
      event(2, "task.completed"),
      { type: "task", task: snapshot("completed", 3, "first") }
    ])
  })
)

it.live("leaves the task alone on the first Ctrl-C", () =>
  Effect.gen(function* () {
    const { bottom, code, printed, requests } = yield* watch(goesOn, "running", {
      interactive: true,
      signals: ["SIGINT"]
    })
    expect(code).toBe(130)
    expect(printed.join("\n")).toContain("errand logs --follow task_")
    expect(bottom).toBe("")
    expect(requests.filter((request) => request.startsWith("POST"))).toEqual([])
  })
)

it.live("cancels it on the second one", () =>
  Effect.gen(function* () {
    const { code, requests } = yield* watch(goesOn, "running", { interactive: true, signals: ["SIGINT", "SIGINT"] })
    expect(code).toBe(130)
    expect(requests.filter((request) => request.startsWith("POST"))).toEqual([expect.stringMatching(/\/cancel$/)])
  })
)

it.live.each(["SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE"] as const)("ends at once on %s where nobody watches", (signal) =>
  Effect.gen(function* () {
    const { code, requests } = yield* watch(goesOn, "running", { signals: [signal, "SIGINT"] })
    expect(code).toBe({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129, SIGPIPE: 141 }[signal])
    expect(requests).toEqual([])
  })
)

it("counts an unexpected end as a failure", () => {
  expect([Exit.void, Exit.fail("x"), Exit.die("x")].map(exitCodeOf)).toEqual([0, 1, 1])
})
