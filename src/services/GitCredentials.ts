/**
 * What a user gave Errand to reach a git host with.
 *
 * Owns: one credential for each user and host, encrypted at rest, written and used but never shown again.
 * Does not own: how git gets it (`layers/`), sign-in at a forge.
 */
import { Context, type Effect, type Option, type Redacted, Schema } from "effect"
import type { UserId } from "./Ids.ts"
import { Timestamp } from "./Task.ts"
import type { StorageFull } from "./Transaction.ts"

export const CredentialKind = Schema.Literal("token", "ssh_key").annotations({ identifier: "CredentialKind" })
export type CredentialKind = typeof CredentialKind.Type

export const StoredCredential = Schema.Struct({
  host: Schema.String,
  kind: CredentialKind,
  updatedAt: Timestamp
}).annotations({ identifier: "StoredCredential" })
export interface StoredCredential extends Schema.Schema.Type<typeof StoredCredential> {}

export class GitCredentials extends Context.Tag("errand/services/GitCredentials")<
  GitCredentials,
  {
    readonly put: (
      owner: UserId,
      host: string,
      credential: { readonly kind: CredentialKind; readonly value: Redacted.Redacted }
    ) => Effect.Effect<void, StorageFull>
    /** False when there was none. */
    readonly remove: (owner: UserId, host: string) => Effect.Effect<boolean, StorageFull>
    readonly list: (owner: UserId) => Effect.Effect<ReadonlyArray<StoredCredential>>
    /** For the server's own git only. */
    readonly find: (
      owner: UserId,
      host: string
    ) => Effect.Effect<Option.Option<{ readonly kind: CredentialKind; readonly value: Redacted.Redacted }>>
  }
>() {}
