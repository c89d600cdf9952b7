/** What every adapter of Accounts agrees on. */
import { Duration, Effect, Struct } from "effect"
import { type Device, LoginRefused, type TokenScope } from "../services/Accounts.ts"
import type { DeviceId } from "../services/Ids.ts"
import { ago, fromNow, now } from "./timestamp.ts"

/** The grammar of GitHub, where a login means the same person; those that an Enterprise server manages end in `_name`. */
const login = /^(?=.{1,39}$)[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*$/

export const checkLogin = (text: string): Effect.Effect<void, LoginRefused> =>
  login.test(text) ? Effect.void : new LoginRefused({ login: text })

/** A device is seen at most once in this time: more would be a write for every request. */
export const seenEvery = Duration.minutes(1)

/** A session that nobody uses ends, and every session ends some day. */
const idle = Duration.days(30)
const longest = Duration.days(90)

/** A row of a device as rules see it. */
export interface KnownDevice extends Device {
  /** When a session ends whatever happens; null for an access token. */
  readonly expiresAt: string | null
}

export const isOver = Effect.fnUntraced(function* (device: KnownDevice) {
  if (device.revokedAt !== null) return true
  if (device.kind === "token") return false
  const seen = device.lastSeenAt ?? device.createdAt
  return seen <= (yield* ago(idle)) || (device.expiresAt !== null && device.expiresAt <= (yield* now))
})

/** A new device with this id. */
export const newDevice = Effect.fnUntraced(function* (
  id: DeviceId,
  {
    kind,
    name,
    scopes
  }: { readonly kind: Device["kind"]; readonly name: string; readonly scopes: ReadonlyArray<TokenScope> }
) {
  const device: KnownDevice = {
    id,
    name,
    kind,
    scopes: Array.from(new Set(scopes)),
    createdAt: yield* now,
    lastSeenAt: null,
    revokedAt: null,
    expiresAt: kind === "session" ? yield* fromNow(longest) : null
  }
  return device
})

export const toDevice = (device: KnownDevice): Device => Struct.omit(device, "expiresAt")
