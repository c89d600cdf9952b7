/** Pairings kept as tickets. The first half of a code names its pairing, so that wrong codes can be counted. */
import { createHash, randomBytes, randomInt, timingSafeEqual } from "node:crypto"
import { Duration, Effect, Layer, Option, Redacted, Schema } from "effect"
import { Accounts } from "../services/Accounts.ts"
import { DeviceId, UserId } from "../services/Ids.ts"
import {
  type ClaimingDevice,
  Pairing,
  pairingMinutes,
  PairingOver,
  PairingPending,
  Pairings,
  pairingTries
} from "../services/Pairings.ts"
import { type TicketKind, Tickets } from "../services/Tickets.ts"
import { fromNow } from "./timestamp.ts"

/** Without letters that look like digits, or make words. */
const alphabet = "23456789BCDFGHJKMNPQRSTVWXZ"
const half = 4

const State = Schema.Struct({
  ...Pairing.fields,
  /** Null for a login that was no user yet. */
  user: Schema.NullOr(UserId),
  /** The device that opened it; null for the terminal. */
  by: Schema.NullOr(DeviceId),
  codeHash: Schema.String,
  triesLeft: Schema.Int,
  number: Schema.Int,
  secretHash: Schema.NullOr(Schema.String)
})
type State = typeof State.Type

const kind: TicketKind<State, typeof State.Encoded> = {
  name: "pairing",
  schema: State,
  lifetime: Duration.minutes(pairingMinutes)
}

const randomText = (length: number) =>
  Array.from({ length }, () => alphabet.charAt(randomInt(alphabet.length))).join("")

const hash = (text: string) => createHash("sha256").update(text).digest("hex")

const isHashOf = (known: string, text: string) => timingSafeEqual(Buffer.from(known), Buffer.from(hash(text)))

const view = ({ device, expiresAt, id, login, status }: State): Pairing => ({ id, login, status, device, expiresAt })

/** As people type it: in any case, with or without the dash. */
const normalized = (code: string) => code.toUpperCase().replace(/[\s-]/g, "")

const oneTryLess = (state: State): Option.Option<State> =>
  state.triesLeft > 1 ? Option.some({ ...state, triesLeft: state.triesLeft - 1 }) : Option.none()

export const layer = Layer.effect(
  Pairings,
  Effect.gen(function* () {
    const tickets = yield* Tickets
    const accounts = yield* Accounts

    const freeId: Effect.Effect<string> = Effect.suspend(() => {
      const id = randomText(half)
      return Effect.flatMap(tickets.find(kind, id), (taken) => (Option.isSome(taken) ? freeId : Effect.succeed(id)))
    })

    /** Whoever was removed meanwhile does not come back, and a device that was revoked lets nobody in. */
    const userOf = Effect.fnUntraced(function* ({ by, login, user }: State) {
      if (by !== null && Option.isNone(yield* accounts.principal(by))) return yield* new PairingOver()
      if (user === null) return yield* Effect.catchTag(accounts.ensure(login), "LoginRefused", () => new PairingOver())
      return yield* Effect.mapError(Effect.flatten(accounts.user(user)), () => new PairingOver())
    })

    return Pairings.of({
      open: Effect.fn("Pairings.open")(function* (login, by) {
        const known = yield* accounts.userByLogin(login)
        const id = yield* freeId
        const secret = randomText(half)
        const state: State = {
          id,
          login,
          user: Option.isSome(known) ? known.value.id : null,
          by: Option.getOrNull(by),
          status: "open",
          device: null,
          expiresAt: yield* fromNow(kind.lifetime),
          codeHash: hash(secret),
          triesLeft: pairingTries,
          number: randomInt(10, 100),
          secretHash: null
        }
        yield* tickets.put(kind, id, state)
        return { pairing: view(state), code: `${id}-${secret}` }
      }),

      find: Effect.fn("Pairings.find")((id) => Effect.map(tickets.find(kind, id), Option.map(view))),

      claim: Effect.fn("Pairings.claim")(function* (code, device: ClaimingDevice) {
        const text = normalized(code)
        const secret = randomBytes(32).toString("base64url")
        const secretHash = hash(secret)
        const changed = yield* tickets.change(kind, text.slice(0, half), (state) => {
          if (!isHashOf(state.codeHash, text.slice(half))) return oneTryLess(state)
          if (state.status !== "open") return Option.some(state)
          return Option.some({ ...state, status: "claimed" as const, device, secretHash })
        })
        if (Option.isNone(changed) || changed.value.secretHash !== secretHash) return yield* new PairingOver()
        const { expiresAt, id, number } = changed.value
        return { id, secret: Redacted.make(secret), number, expiresAt }
      }),

      confirm: Effect.fn("Pairings.confirm")(function* (id, number) {
        const changed = yield* tickets.change(kind, id, (state) => {
          if (state.status !== "claimed") return Option.some(state)
          return state.number === number ? Option.some({ ...state, status: "confirmed" as const }) : oneTryLess(state)
        })
        if (Option.isNone(changed)) return yield* new PairingOver()
        return changed.value.status === "confirmed" && changed.value.number === number
      }),

      refuse: Effect.fn("Pairings.refuse")((id) => Effect.map(tickets.take(kind, id), Option.isSome)),

      redeem: Effect.fn("Pairings.redeem")(function* (id, secret) {
        const isOurs = ({ secretHash }: State) => secretHash !== null && isHashOf(secretHash, Redacted.value(secret))
        const found = Option.filter(yield* tickets.find(kind, id), isOurs)
        if (Option.isNone(found)) return yield* new PairingOver()
        if (found.value.status !== "confirmed") return yield* new PairingPending()
        const taken = yield* tickets.take(kind, id)
        if (Option.isNone(taken) || taken.value.device === null) return yield* new PairingOver()
        return { user: yield* userOf(taken.value), deviceName: taken.value.device.name }
      })
    })
  })
)
