/**
 * What a user lets his tasks use without showing it to them: tokens of package registries, of APIs, of test systems.
 *
 * Owns: secrets by owner and name, each bound to the hosts that may get its value; encrypted at rest, never shown again.
 * Does not own: putting values into requests (`layers/interception/`), masking them (`masking.ts`), how the server itself
 * reaches git hosts (`GitCredentials.ts`).
 */
import { Context, type Effect, type Redacted, Schema } from "effect"
import { HostName } from "./HostName.ts"
import type { UserId } from "./Ids.ts"
import { Timestamp } from "./Task.ts"
import type { StorageFull } from "./Transaction.ts"

/** What programs and the sandbox itself read from variables of these names is not for tasks to say. */
const reserved = /^(?:PATH|HOME|PWD|SHELL|USER|IFS|LANG|TMPDIR|BASH_ENV|ENV|NODE_OPTIONS|LD_.*|GIT_.*|LC_.*|.*_PROXY)$/i
const certificates =
  /^(?:NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|SSL_CERT_DIR|CURL_CA_BUNDLE|REQUESTS_CA_BUNDLE|PIP_CERT|CARGO_HTTP_CAINFO|AWS_CA_BUNDLE)$/i

/** The name of an environment variable. */
export const SecretName = Schema.String.pipe(
  Schema.maxLength(64, { message: () => "must have at most 64 characters" }),
  Schema.pattern(/^[A-Za-z_][A-Za-z0-9_]*$/, {
    message: () => "must be the name of an environment variable: letters, digits and _, no digit first"
  }),
  Schema.filter((name) => !reserved.test(name) && !certificates.test(name), {
    message: () => "is a variable that programs in the sandbox need for themselves"
  }),
  Schema.annotations({ identifier: "SecretName" })
)
export type SecretName = typeof SecretName.Type

/** Shorter values can't be masked without tearing ordinary text to pieces. */
const fewestCharacters = 8
const mostCharacters = 8_192

/** Printable ASCII, so that it can stand in a header and is found again in what comes back. */
export const SecretValue = Schema.String.pipe(
  Schema.minLength(fewestCharacters, { message: () => `must have at least ${fewestCharacters} characters` }),
  Schema.maxLength(mostCharacters, { message: () => `must have at most ${mostCharacters} characters` }),
  Schema.pattern(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, {
    message: () => "must be one line of printable ASCII, with no space at either end"
  })
)

export const StoredSecret = Schema.Struct({
  name: SecretName,
  hosts: Schema.Array(HostName),
  updatedAt: Timestamp
}).annotations({ identifier: "StoredSecret" })
export interface StoredSecret extends Schema.Schema.Type<typeof StoredSecret> {}

export interface Secret {
  readonly name: SecretName
  /** Those that get the value, on port 443. No pattern: whoever registers a name below one would get it. */
  readonly hosts: ReadonlyArray<string>
  readonly value: Redacted.Redacted
}

/** Of one user: a run reads all that its task names. */
export const mostSecrets = 200

export class TooManySecrets extends Schema.TaggedError<TooManySecrets>()("TooManySecrets", {}) {
  override get message() {
    return `An account has at most ${mostSecrets} secrets. Delete one first.`
  }
}

export class Secrets extends Context.Tag("errand/services/Secrets")<
  Secrets,
  {
    /** Replaces the one of the same name. */
    readonly put: (owner: UserId, secret: Secret) => Effect.Effect<void, TooManySecrets | StorageFull>
    /** False when there was none. */
    readonly remove: (owner: UserId, name: string) => Effect.Effect<boolean, StorageFull>
    /** By name. */
    readonly list: (owner: UserId) => Effect.Effect<ReadonlyArray<StoredSecret>>
    /** Those of these names that there are, in the order of the names. For drafts, masks and sandboxes only. */
    readonly find: (owner: UserId, names: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Secret>>
  }
>() {}
