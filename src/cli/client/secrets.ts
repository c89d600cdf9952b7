/** What the commands of `errand secrets` do. */
import { Prompt } from "@effect/cli"
import { Effect, type Option, Redacted } from "effect"
import { text } from "node:stream/consumers"
import { line, span } from "../render/Line.ts"
import { safeLine } from "../render/safeText.ts"
import { WrongUsage } from "../outcome.ts"
import { print, writeJson } from "../Screen.ts"
import { connection, make } from "./ErrandClient.ts"

interface Reaching {
  readonly server: string
  readonly token: Option.Option<Redacted.Redacted>
  readonly json: boolean
}

const reach = (options: Reaching) => Effect.flatMap(connection(options), make)

const standardInput = Effect.tryPromise({
  try: () => text(process.stdin),
  catch: () => new WrongUsage({ problem: "The value can't be read from standard input." })
}).pipe(Effect.map((value) => Redacted.make(value.replace(/\r?\n$/, ""))))

/** Never an argument: other users of the machine see those, and shells remember them. */
const askForValue = (name: string) =>
  process.stdin.isTTY ? Prompt.run(Prompt.hidden({ message: `Value of ${safeLine(name)}` })) : standardInput

export const set = Effect.fn("secrets.set")(function* (
  options: Reaching & { readonly name: string; readonly hosts: ReadonlyArray<string> }
) {
  const client = yield* reach(options)
  const value = yield* askForValue(options.name)
  yield* client.secrets.put({ path: { secretName: options.name }, payload: { value, hosts: options.hosts } })
  const { hosts, json, name } = options
  yield* json ? writeJson({ name, hosts }) : print(line(`${safeLine(name)} is stored.`))
})

export const list = Effect.fn("secrets.list")(function* (options: Reaching) {
  const { items } = yield* (yield* reach(options)).secrets.list()
  if (options.json) return yield* Effect.forEach(items, writeJson, { discard: true })
  const rows = items.map(({ hosts, name }) => line(span(name, "strong"), span(`  ${hosts.join(" ")}`, "quiet")))
  return yield* print(...(rows.length === 0 ? [line(span("no secrets", "quiet"))] : rows))
})

export const remove = Effect.fn("secrets.remove")(function* (options: Reaching & { readonly name: string }) {
  yield* (yield* reach(options)).secrets.remove({ path: { secretName: options.name } })
  const { json, name } = options
  yield* json ? writeJson({ name }) : print(line(`${safeLine(name)} is removed.`))
})
