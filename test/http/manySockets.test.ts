/** Connections that cost a client nothing, by the thousand: they are cut in time, and nobody else notices. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { readdirSync, readFileSync } from "node:fs"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { expect, layer } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { ask, baseUrl, door, tokenFor } from "./door.ts"

/**
 * Shorter than usual, so that a test can wait for them. A kept connection has to outlast the answers to all the others:
 * 4 s on an idle machine, 8 s beside four busy processes on two cores.
 */
const bounds = {
  headersTimeout: 8_000,
  requestTimeout: 8_000,
  keepAliveTimeout: 20_000,
  connectionsCheckingInterval: 500
}

interface Seen {
  readonly opened: number
  readonly ended: number
  readonly statuses: Readonly<Record<string, number>>
}

/** Ten thousand, or what a machine that allows fewer open files can hold beside everything else. */
const openFiles = Number(/Max open files +(\d+)/.exec(readFileSync("/proc/self/limits", "utf8"))?.[1] ?? 1_024)
const many = Math.min(10_000, openFiles - 400)

const program = fileURLToPath(new URL("../support/manySockets.mjs", import.meta.url))

interface Talk {
  readonly words: string
  /** Said four times a second, after `words`. */
  readonly drip?: string
  readonly isAnsweredAtOnce?: boolean
}

/** Connections from a process of their own; gives a question for what became of them. */
const sockets = Effect.fnUntraced(function* (count: number, talk: Talk) {
  const port = Number(new URL(yield* baseUrl).port)
  const args = [program, JSON.stringify({ port, count, ...talk })]
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] })),
    (child) => Effect.sync(() => void child.kill("SIGKILL"))
  )
  const lines = createInterface(child.stdout)
  return Effect.promise(async (): Promise<Seen> => {
    child.stdin.write("\n")
    return JSON.parse((await once(lines, "line"))[0])
  })
})

const files = Effect.sync(() => readdirSync("/proc/self/fd").length)

const until = <A, R>(effect: Effect.Effect<A, never, R>, holds: (value: A) => boolean) =>
  effect.pipe(
    Effect.repeat({ schedule: Schedule.spaced("100 millis"), until: holds }),
    Effect.timeoutTo({ duration: "30 seconds", onSuccess: () => true, onTimeout: () => false })
  )

/** What a user who does nothing wrong gets meanwhile, as one status for each second. */
const served = (token: string) =>
  Effect.replicateEffect(
    Effect.zipLeft(
      ask("GET", "/api/v1/me", { token }).pipe(
        Effect.map(({ status }) => status),
        Effect.timeoutTo({ duration: "2 seconds", onSuccess: (status) => status, onTimeout: () => 0 })
      ),
      Effect.sleep("200 millis")
    ),
    20
  )

const allServed = Array.from({ length: 20 }, () => 200)

/** Opens them, and waits for their end; gives how often each status came. */
const withstands = (count: number, talk: Talk) =>
  Effect.gen(function* () {
    const { token } = yield* tokenFor("honest")
    yield* served(token)
    const before = { files: yield* files, memory: process.memoryUsage.rss() }
    const seen = yield* sockets(count, talk)
    expect(yield* until(seen, ({ opened }) => opened === count)).toBe(true)
    expect(yield* until(files, (now) => now >= before.files + count)).toBe(true)
    expect(yield* served(token)).toEqual(allServed)
    expect(process.memoryUsage.rss() - before.memory).toBeLessThan(300e6)
    expect(yield* until(seen, ({ ended }) => ended === count)).toBe(true)
    // Also of those who never hang up themselves nothing is left.
    expect(yield* until(files, (now) => now <= before.files + 20)).toBe(true)
    return (yield* seen).statuses
  })

layer(door({ bounds }), { excludeTestServices: true, timeout: 60_000 })("many connections", (it) => {
  // Fails when who was refused is left to hang up: every descriptor stayed.
  it.scoped(
    "that say nothing are ended, ten thousand of them",
    () =>
      Effect.gen(function* () {
        expect(yield* withstands(many, { words: "" })).toEqual({ 408: many })
      }),
    90_000
  )

  // Fails with `keepAliveTimeout: 0`.
  it.scoped(
    "that are kept after an answer are ended, ten thousand of them",
    () =>
      Effect.gen(function* () {
        const words = "GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
        expect(yield* withstands(many, { words, isAnsweredAtOnce: true })).toEqual({ 200: many })
      }),
    90_000
  )

  // Fails when who was refused is left to hang up, and with `requestTimeout: 0`. Who may not ask at all is told so at once, and is read no longer than the others.
  it.scoped.each([
    ["auth/refresh", 408],
    ["tasks", 401]
  ] as const)(
    "whose bodies for /%s trickle are ended, a thousand of them, though each moves all the time",
    ([path, status]) =>
      Effect.gen(function* () {
        const words = `POST /api/v1/${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n`
        expect(yield* withstands(1_000, { words, drip: "x" })).toEqual({ [status]: 1_000 })
      }),
    90_000
  )
})
