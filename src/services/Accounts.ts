/**
 * Users, and the devices by which they are known.
 *
 * Owns: who is a user, in which role; making, checking, listing and revoking access tokens and the devices of sessions;
 * who a token belongs to. Only hashes are stored.
 * Does not own: how a request carries a token (`http/`), the tokens of a session (`Sessions`), ways to sign in.
 */
import { Context, type Effect, type Option, type Redacted, Schema } from "effect"
import { DeviceId, UserId } from "./Ids.ts"
import { Timestamp } from "./Task.ts"
import type { StorageFull } from "./Transaction.ts"

export const UserRole = Schema.Literal("owner", "member").annotations({ identifier: "UserRole" })
export type UserRole = typeof UserRole.Type

/** `read` sees, `write` also acts. */
export const TokenScope = Schema.Literal("read", "write").annotations({ identifier: "TokenScope" })
export type TokenScope = typeof TokenScope.Type

export const User = Schema.Struct({
  id: UserId,
  login: Schema.String,
  role: UserRole,
  createdAt: Timestamp
}).annotations({ identifier: "User" })
export interface User extends Schema.Schema.Type<typeof User> {}

export const Device = Schema.Struct({
  id: DeviceId,
  name: Schema.String,
  kind: Schema.Literal("token", "session"),
  scopes: Schema.Array(TokenScope),
  createdAt: Timestamp,
  lastSeenAt: Schema.NullOr(Timestamp),
  revokedAt: Schema.NullOr(Timestamp)
}).annotations({ identifier: "Device" })
export interface Device extends Schema.Schema.Type<typeof Device> {}

/** Who is asking. */
export interface Principal {
  readonly user: User
  readonly deviceId: DeviceId
  readonly scopes: ReadonlyArray<TokenScope>
}

export class LoginRefused extends Schema.TaggedError<LoginRefused>()("LoginRefused", { login: Schema.String }) {
  override get message() {
    return `"${this.login}" can't be a login: use 1 to 39 letters, digits and single hyphens.`
  }
}

/** Somebody as a forge knows them. Their login may change there, and belong to somebody else later; `subject` does not. */
export interface ForgeIdentity {
  readonly host: string
  readonly subject: string
  readonly login: string
}

/** Nobody could manage the users any more. */
export class LastOwner extends Schema.TaggedError<LastOwner>()("LastOwner", {}) {
  override get message() {
    return "This is the only owner of the server. Make somebody else an owner first."
  }
}

export class Accounts extends Context.Tag("errand/services/Accounts")<
  Accounts,
  {
    /** None for a token that is unknown, revoked, or not a token at all. */
    readonly authenticate: (token: Redacted.Redacted) => Effect.Effect<Option.Option<Principal>>
    /** Makes a token for a login, and the user when the login is new: an owner as long as there is none. */
    readonly createToken: (
      login: string,
      options: { readonly name: string; readonly scopes: ReadonlyArray<TokenScope> }
    ) => Effect.Effect<
      { readonly user: User; readonly device: Device; readonly token: Redacted.Redacted },
      LoginRefused | StorageFull
    >
    /** A device that signed in. It lasts 90 days, and no longer than 30 days without being seen. */
    readonly openSession: (user: UserId, name: string) => Effect.Effect<Device, StorageFull>
    /** The same for a browser, which shows `cookie` instead of tokens. */
    readonly openBrowserSession: (
      user: UserId,
      name: string
    ) => Effect.Effect<{ readonly device: Device; readonly cookie: Redacted.Redacted }, StorageFull>
    /** None for what `openBrowserSession` did not make, and when that session is over. */
    readonly authenticateBrowser: (cookie: Redacted.Redacted) => Effect.Effect<Option.Option<Principal>>
    /** Who acts on a device; none when it was revoked, or its session is over. */
    readonly principal: (id: DeviceId) => Effect.Effect<Option.Option<Principal>>
    readonly devices: (
      owner: Option.Option<UserId>
    ) => Effect.Effect<ReadonlyArray<Device & { readonly login: string }>>
    /** False when there is no such device of this owner. Idempotent. */
    readonly revoke: (owner: Option.Option<UserId>, id: DeviceId) => Effect.Effect<boolean, StorageFull>

    readonly user: (id: UserId) => Effect.Effect<Option.Option<User>>
    readonly userByLogin: (login: string) => Effect.Effect<Option.Option<User>>
    /** The user of a login, made when it is new: an owner as long as there is none. */
    readonly ensure: (login: string) => Effect.Effect<User, LoginRefused | StorageFull>
    /** Oldest first. */
    readonly users: Effect.Effect<ReadonlyArray<User>>
    /** Makes a user of a login who may sign in from now on, or changes the role of one. */
    readonly invite: (login: string, role: UserRole) => Effect.Effect<User, LoginRefused | LastOwner | StorageFull>
    /** Ends all devices of a user; what they did stays. False when there is no such user. */
    readonly remove: (id: UserId) => Effect.Effect<boolean, LastOwner | StorageFull>
    /**
     * The user of somebody who has signed in at a forge: known there, or by the login of a user whom no other identity
     * has taken. Anybody else becomes a user in the role of `admit`, or nobody when that is none.
     */
    readonly arrive: (
      identity: ForgeIdentity,
      admit: Option.Option<UserRole>
    ) => Effect.Effect<Option.Option<User>, StorageFull>
  }
>() {}
