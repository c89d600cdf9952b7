/**
 * Users, and the devices and access tokens by which they are known.
 *
 * Owns: making, checking, listing and revoking access tokens; who a token belongs to. Only hashes are stored.
 * Does not own: how a request carries a token (`http/`), signing in by other ways.
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

export class Accounts extends Context.Tag("errand/services/Accounts")<
  Accounts,
  {
    /** None for a token that is unknown, revoked, or not a token at all. */
    readonly authenticate: (token: Redacted.Redacted) => Effect.Effect<Option.Option<Principal>>
    /** Makes a token for a login, and the user when the login is new: the first one is the owner. */
    readonly createToken: (
      login: string,
      options: { readonly name: string; readonly scopes: ReadonlyArray<TokenScope> }
    ) => Effect.Effect<
      { readonly user: User; readonly device: Device; readonly token: Redacted.Redacted },
      LoginRefused | StorageFull
    >
    readonly devices: (
      owner: Option.Option<UserId>
    ) => Effect.Effect<ReadonlyArray<Device & { readonly login: string }>>
    /** False when there is no such device of this owner. Idempotent. */
    readonly revoke: (owner: Option.Option<UserId>, id: DeviceId) => Effect.Effect<boolean, StorageFull>
    readonly user: (id: UserId) => Effect.Effect<Option.Option<User>>
    readonly userByLogin: (login: string) => Effect.Effect<Option.Option<User>>
  }
>() {}
