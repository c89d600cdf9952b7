/**
 * Vault with AES-256-GCM.
 *
 * A sealed secret is: version (1 byte), id of the key (8), nonce (12), tag (16), then the encrypted text. The purpose
 * and the first two are authenticated with it. The key comes by HKDF-SHA-256 from ERRAND_SECRET_KEY, or else from a
 * file in the data directory that is made on the first start.
 */
import type { FileSystem } from "@effect/platform"
import { Effect, Layer, Option, Redacted, Schema } from "effect"
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto"
import { join } from "node:path"
import { AppConfig } from "../services/AppConfig.ts"
import { Vault, VaultLocked } from "../services/Vault.ts"
import { DataDir } from "./DataDirLock.ts"
import { readOrMake } from "./keptFile.ts"

/** The key file can't be read, made or used. */
export class SecretKeyUnusable extends Schema.TaggedError<SecretKeyUnusable>()("SecretKeyUnusable", {
  path: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `The key file ${this.path} can't be used: ${this.detail}. Restore it from a backup, or set ERRAND_SECRET_KEY.`
  }
}

const version = 1
const keyIdBytes = 8
const nonceBytes = 12
const tagBytes = 16
const headerBytes = 1 + keyIdBytes
const textAt = headerBytes + nonceBytes + tagBytes
const algorithm = "aes-256-gcm"

/** A key and its name: which of several keys opens a secret is told by the secret itself. */
interface Key {
  readonly id: Buffer
  readonly bytes: Buffer
}

const derive = (secret: Redacted.Redacted): Key => {
  const expand = (use: string, length: number) =>
    Buffer.from(hkdfSync("sha256", Redacted.value(secret), "", `errand vault ${use}`, length))
  return { id: expand("key id", keyIdBytes), bytes: expand("key", 32) }
}

const seal = (key: Key, purpose: string, secret: Redacted.Redacted): Uint8Array => {
  const header = Buffer.concat([Buffer.of(version), key.id])
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv(algorithm, key.bytes, nonce).setAAD(Buffer.concat([header, Buffer.from(purpose)]))
  const encrypted = Buffer.concat([cipher.update(Redacted.value(secret), "utf8"), cipher.final()])
  return Buffer.concat([header, nonce, cipher.getAuthTag(), encrypted])
}

/** Throws when the key is another one, or any byte or the purpose differs. */
const open = (key: Key, purpose: string, sealed: Uint8Array): Redacted.Redacted => {
  const bytes = Buffer.from(sealed)
  const header = bytes.subarray(0, headerBytes)
  const nonce = bytes.subarray(headerBytes, headerBytes + nonceBytes)
  const tag = bytes.subarray(headerBytes + nonceBytes, textAt)
  const decipher = createDecipheriv(algorithm, key.bytes, nonce, { authTagLength: tagBytes })
    .setAAD(Buffer.concat([header, Buffer.from(purpose)]))
    .setAuthTag(tag)
  return Redacted.make(Buffer.concat([decipher.update(bytes.subarray(textAt)), decipher.final()]).toString("utf8"))
}

const isSealedWith = (key: Key, sealed: Uint8Array): boolean =>
  sealed.length >= textAt && sealed[0] === version && key.id.equals(sealed.subarray(1, headerBytes))

const vault = (secret: Redacted.Redacted) => {
  const key = derive(secret)
  return Vault.of({
    seal: (purpose, plain) => Effect.sync(() => seal(key, purpose, plain)),
    open: (purpose, sealed) =>
      isSealedWith(key, sealed)
        ? Effect.try({ try: () => open(key, purpose, sealed), catch: () => new VaultLocked() })
        : new VaultLocked()
  })
}

/** Shorter ones are not what `create` wrote: a truncated file must not become a weak key. */
const leastCharacters = 32

const keyFile = Effect.gen(function* () {
  const path = join((yield* DataDir).path, "secret.key")
  const text = yield* readOrMake(
    path,
    Effect.sync(() => randomBytes(32).toString("base64url"))
  ).pipe(Effect.mapError((error) => new SecretKeyUnusable({ path, detail: error.message })))
  if (text.length < leastCharacters) {
    return yield* new SecretKeyUnusable({ path, detail: `it holds fewer than ${leastCharacters} characters` })
  }
  return Redacted.make(text)
})

export const layer: Layer.Layer<Vault, SecretKeyUnusable, AppConfig | DataDir | FileSystem.FileSystem> = Layer.effect(
  Vault,
  Effect.gen(function* () {
    const { secretKey } = yield* AppConfig
    return vault(Option.isSome(secretKey) ? secretKey.value : yield* keyFile)
  })
)

export const layerWith = (secretKey: Redacted.Redacted): Layer.Layer<Vault> => Layer.sync(Vault, () => vault(secretKey))
