/**
 * Secrets at rest.
 *
 * Owns: sealing and opening small secrets with the server's key, which lives outside the database.
 * Does not own: where the sealed bytes are stored.
 */
import { Context, type Effect, type Option, type Redacted, Schema } from "effect"

/** Sealed with another key, for another purpose, or damaged. */
export class VaultLocked extends Schema.TaggedError<VaultLocked>()("VaultLocked", {}) {
  override get message() {
    return "A stored secret can't be opened with this server's key. Restore the key (ERRAND_SECRET_KEY or secret.key), or store the secret again."
  }
}

export class Vault extends Context.Tag("errand/services/Vault")<
  Vault,
  {
    /** `purpose` is bound to the secret: it opens only for the same words. */
    readonly seal: (purpose: string, secret: Redacted.Redacted) => Effect.Effect<Uint8Array>
    readonly open: (purpose: string, sealed: Uint8Array) => Effect.Effect<Redacted.Redacted, VaultLocked>
    /** The same secret, sealed with the newest key; none when it is already. */
    readonly renew: (purpose: string, sealed: Uint8Array) => Effect.Effect<Option.Option<Uint8Array>, VaultLocked>
  }
>() {}
