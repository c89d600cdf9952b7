/**
 * Vault with AES-256-GCM.
 *
 * A sealed secret is: version (1 byte), id of the key (8), nonce (12), tag (16), then the encrypted text. The purpose
 * and the first two are authenticated with it. Keys come by HKDF-SHA-256 from ERRAND_SECRET_KEY, or else from a file in
 * the data directory that is made on the first start. The first one seals; those after it, in ERRAND_PREVIOUS_SECRET_KEY
 * or on further lines of the file, still open. The file may change while the server runs.
 */
import { FileSystem } from "@effect/platform"
import { Effect, Layer, Option, Redacted, Ref, Schema } from "effect"
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

/** The first key seals, all of them open. */
type Ring = readonly [Key, ...ReadonlyArray<Key>]

const vault = (ring: Effect.Effect<Ring>) => {
  const opened = (keys: Ring, purpose: string, sealed: Uint8Array) => {
    const key = keys.find((one) => isSealedWith(one, sealed))
    return key === undefined
      ? new VaultLocked()
      : Effect.try({ try: () => open(key, purpose, sealed), catch: () => new VaultLocked() })
  }
  return Vault.of({
    seal: (purpose, plain) => Effect.map(ring, ([key]) => seal(key, purpose, plain)),
    open: (purpose, sealed) => Effect.flatMap(ring, (keys) => opened(keys, purpose, sealed)),
    renew: (purpose, sealed) =>
      Effect.flatMap(ring, (keys) =>
        isSealedWith(keys[0], sealed)
          ? Effect.succeedNone
          : Effect.map(opened(keys, purpose, sealed), (plain) => Option.some(seal(keys[0], purpose, plain)))
      )
  })
}

/** Shorter ones are not what `create` wrote: a truncated file must not become a weak key. */
const leastCharacters = 32

export const newSecretKey = Effect.sync(() => randomBytes(32).toString("base64url"))

const ringOf = (path: string, text: string): Effect.Effect<Ring, SecretKeyUnusable> => {
  const lines = text.split("\n").map((line) => line.trim())
  const [first, ...older] = lines.map((line) => derive(Redacted.make(line)))
  return first === undefined || lines.some((line) => line.length < leastCharacters)
    ? new SecretKeyUnusable({ path, detail: `it holds fewer than ${leastCharacters} characters` })
    : Effect.succeed([first, ...older])
}

/** The keys of the file, read again when it has changed. One that can't be read any more changes nothing. */
const fileRing = Effect.gen(function* () {
  const path = secretKeyPath((yield* DataDir).path)
  const files = yield* FileSystem.FileSystem
  const unusable = (error: Error) => new SecretKeyUnusable({ path, detail: error.message })
  const text = yield* Effect.mapError(readOrMake(path, newSecretKey), unusable)
  const stamp = Effect.map(
    files.stat(path),
    ({ ino, mtime }) => `${Option.getOrNull(ino)} ${String(Option.getOrNull(mtime)?.getTime())}`
  )
  const known = yield* Ref.make({
    ring: yield* ringOf(path, text),
    stamp: yield* Effect.orElseSucceed(stamp, () => "")
  })
  const reread = Effect.gen(function* () {
    const seen = yield* stamp
    const before = yield* Ref.get(known)
    if (seen === before.stamp) return before.ring
    const ring = yield* Effect.flatMap(files.readFileString(path), (fresh) => ringOf(path, fresh.trim()))
    yield* Ref.set(known, { ring, stamp: seen })
    return ring
  })
  return Effect.orElse(reread, () => Effect.map(Ref.get(known), ({ ring }) => ring))
})

export const secretKeyPath = (dataDir: string) => join(dataDir, "secret.key")

export const layer: Layer.Layer<Vault, SecretKeyUnusable, AppConfig | DataDir | FileSystem.FileSystem> = Layer.effect(
  Vault,
  Effect.gen(function* () {
    const { previousSecretKey, secretKey } = yield* AppConfig
    if (Option.isNone(secretKey)) return vault(yield* fileRing)
    return vault(Effect.succeed([derive(secretKey.value), ...Option.toArray(previousSecretKey).map(derive)]))
  })
)

export const layerWith = (secretKey: Redacted.Redacted): Layer.Layer<Vault> =>
  Layer.sync(Vault, () => vault(Effect.succeed([derive(secretKey)])))
