/**
 * Letting a device in from the server's terminal: what `errand pair` does, and `errand serve` when nobody is in yet.
 *
 * The person at the terminal types the number that the new device shows, so a device that somebody else holds is not
 * let in by mistake.
 */
import { createInterface, type Interface } from "node:readline"
import { userInfo } from "node:os"
import { Console, Duration, Effect, Layer, Option, Schema } from "effect"
import { Accounts } from "../../services/Accounts.ts"
import { AppConfig, type Settings } from "../../services/AppConfig.ts"
import { type Pairing, pairingMinutes, Pairings } from "../../services/Pairings.ts"
import { line, span } from "../render/Line.ts"
import { qrCode } from "../render/qrCode.ts"
import { safeLine } from "../render/safeText.ts"
import { print, Screen, writeJson } from "../Screen.ts"
import { layer } from "./pairings.ts"
import * as settings from "./settings.ts"

/** Nobody showed the code in time, or it was tried too often. */
export class PairingEnded extends Schema.TaggedError<PairingEnded>()("PairingEnded", {}) {
  override get message() {
    return "No device was let in: the code is over, or was tried too often. Ask for another one with `errand pair`."
  }
}

const lookEvery = Duration.seconds(1)

const originOf = ({ host, port, publicUrl }: Settings) => Option.getOrElse(publicUrl, () => `http://${host}:${port}`)

/** A login that the person at the terminal is likely to recognise, for the first user. */
const ownLogin = Effect.sync(() => userInfo().username.replace(/[^A-Za-z0-9]+/g, "")).pipe(
  Effect.map((name) => (name === "" ? "owner" : name.slice(0, 39)))
)

/** The only user, or whoever sits at the terminal. */
const defaultLogin = Effect.gen(function* () {
  const [first] = yield* (yield* Accounts).users
  return first === undefined ? yield* ownLogin : first.login
})

/** In lines, without taking the terminal over: Ctrl-C still reaches the process. */
const standardInput = Effect.acquireRelease(
  Effect.sync(() => createInterface({ input: process.stdin, terminal: false })),
  (lines) => Effect.sync(() => lines.close())
)

const nextLine = (lines: Interface): Effect.Effect<string> =>
  Effect.async((resume) => {
    const settle = (text: string) => resume(Effect.succeed(text))
    lines.once("line", settle).once("close", () => settle(""))
    return Effect.sync(() => lines.off("line", settle))
  })

const show = (url: string, code: string, login: string) =>
  print(
    ...qrCode(url),
    line("Open this on the new device: ", span(url, "accent")),
    line(
      "or type the code ",
      span(code, "strong"),
      ` there. It is for one device of ${safeLine(login)}, for ${pairingMinutes} minutes.`
    )
  )

/** Waits until a device shows the code. */
const claimed = Effect.fnUntraced(function* (pairings: typeof Pairings.Service, id: string) {
  for (;;) {
    const found = yield* Effect.flatMap(
      pairings.find(id),
      Effect.mapError(() => new PairingEnded())
    )
    if (found.status === "claimed") return found
    yield* Effect.sleep(lookEvery)
  }
})

const describe = ({ device }: Pairing) =>
  device === null ? "a device" : `"${safeLine(device.name)}" at ${device.address} (${safeLine(device.userAgent)})`

/** Until a device is in, or the code is over. */
const pairHere = Effect.fnUntraced(function* (
  pairings: typeof Pairings.Service,
  options: { readonly login: string; readonly origin: string; readonly json: boolean }
) {
  const { code, pairing } = yield* pairings.open(options.login, Option.none())
  const url = `${options.origin}/pair#c=${code}`
  yield* options.json
    ? writeJson({ type: "pairing", id: pairing.id, code, url, login: options.login, expiresAt: pairing.expiresAt })
    : show(url, code, options.login)
  const lines = yield* standardInput
  const waiting = yield* claimed(pairings, pairing.id)
  if (options.json) yield* writeJson({ type: "claimed", device: waiting.device })
  for (;;) {
    if (!options.json) {
      yield* print(line(`${describe(waiting)} wants in. Type the number that it shows, or "no":`))
    }
    const answer = (yield* nextLine(lines)).trim()
    if (!/^\d\d$/.test(answer)) {
      yield* pairings.refuse(pairing.id)
      return yield* new PairingEnded()
    }
    const isSame = yield* Effect.mapError(pairings.confirm(pairing.id, Number(answer)), () => new PairingEnded())
    if (isSame) break
    yield* Console.error("That is not the number on the device. Look again.")
  }
  yield* options.json
    ? writeJson({ type: "confirmed", login: options.login })
    : print(line(`The device is let in as ${safeLine(options.login)}.`))
}, Effect.scoped)

export const pair = Effect.fn("pair")(function* (options: {
  readonly json: boolean
  readonly login: Option.Option<string>
}) {
  const built = yield* Layer.build(settings.layer)
  yield* Effect.gen(function* () {
    const config = yield* AppConfig
    const context = yield* Layer.build(layer)
    yield* Effect.gen(function* () {
      const login = Option.isSome(options.login) ? options.login.value : yield* defaultLogin
      yield* pairHere(yield* Pairings, { login, origin: originOf(config), json: options.json })
    }).pipe(Effect.provide(context))
  }).pipe(Effect.provide(built))
}, Effect.scoped)

/** Beside a server that has just begun: only for a person at its terminal, and only while nobody is in. */
export const pairFirstDevice = Effect.fnUntraced(function* (url: string) {
  const { interactive } = yield* Screen
  if (!interactive || process.stdin.isTTY !== true) return
  const { publicUrl } = yield* AppConfig
  const context = yield* Layer.build(layer)
  yield* Effect.gen(function* () {
    const devices = yield* (yield* Accounts).devices(Option.none())
    if (devices.some(({ revokedAt }) => revokedAt === null)) return
    const origin = Option.getOrElse(publicUrl, () => url)
    yield* pairHere(yield* Pairings, { login: yield* defaultLogin, origin, json: false })
  }).pipe(
    Effect.provide(context),
    Effect.catchTag("PairingEnded", ({ message }) => Console.error(message))
  )
}, Effect.scoped)
