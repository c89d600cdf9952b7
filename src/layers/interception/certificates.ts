/**
 * A certificate authority for one run: trusted in its sandbox and nowhere else, gone with it.
 *
 * Owns: its key, which never leaves memory, and certificates for the hosts of the run's secrets; it can make none that a
 * client would take for another host.
 * Does not own: how the sandbox comes to trust it.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto"
import * as Der from "./der.ts"

export interface Authority {
  /** PEM. */
  readonly certificate: string
  /** For a host of the run, both in PEM. */
  readonly issue: (host: string) => { readonly certificate: string; readonly key: string }
}

const oid = {
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  commonName: "2.5.4.3",
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  nameConstraints: "2.5.29.30",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1"
} as const

const day = 24 * 3600_000
/** A task works for a month at most; a clock inside may be behind. */
const validFrom = -day
const validFor = 32 * day

const algorithm = Der.sequence(Der.objectId(oid.ecdsaWithSha256))
const nameOf = (text: string) => Der.sequence(Der.set(Der.sequence(Der.objectId(oid.commonName), Der.utf8(text))))

const spkiOf = (key: KeyObject): Buffer => key.export({ type: "spki", format: "der" })
const keyId = (spki: Buffer): Buffer => createHash("sha256").update(spki).digest().subarray(0, 20)

const extension = (id: string, value: Uint8Array, critical = false): Buffer =>
  Der.sequence(Der.objectId(id), ...(critical ? [Der.truth] : []), Der.octetString(value))

/** A `GeneralName` that is a DNS name. */
const dnsName = (host: string) => Der.implicit(2, Buffer.from(host))

interface Contents {
  readonly issuer: string
  readonly subject: string
  readonly spki: Buffer
  readonly extensions: ReadonlyArray<Buffer>
}

const pem = (der: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${der.toString("base64").replace(/.{64}/g, "$&\n")}\n-----END CERTIFICATE-----\n`

const signed = (key: KeyObject, now: number, { extensions, issuer, spki, subject }: Contents): string => {
  const serial = Buffer.concat([Buffer.of(1), randomBytes(15)])
  const contents = Der.sequence(
    Der.explicit(0, Der.integer(Buffer.of(2))),
    Der.integer(serial),
    algorithm,
    nameOf(issuer),
    // @effect-diagnostics-next-line globalDate:off -- DER has times of its own form
    Der.sequence(Der.generalizedTime(new Date(now + validFrom)), Der.generalizedTime(new Date(now + validFor))),
    nameOf(subject),
    spki,
    Der.explicit(3, Der.sequence(...extensions))
  )
  return pem(Der.sequence(contents, algorithm, Der.bitString(sign("sha256", contents, key))))
}

/** `now`: milliseconds since the epoch. */
export const makeAuthority = (title: string, hosts: ReadonlyArray<string>, now: number): Authority => {
  const own = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const ownSpki = spkiOf(own.publicKey)
  // One key for all of its hosts: they end at the same place.
  const server = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const serverSpki = spkiOf(server.publicKey)
  const key = String(server.privateKey.export({ type: "pkcs8", format: "pem" }))
  const permitted = Der.explicit(0, ...hosts.map((host) => Der.sequence(dnsName(host))))
  return {
    certificate: signed(own.privateKey, now, {
      issuer: title,
      subject: title,
      spki: ownSpki,
      extensions: [
        extension(oid.basicConstraints, Der.sequence(Der.truth, Der.integer(Buffer.of(0))), true),
        extension(oid.keyUsage, Der.bitString(Buffer.of(0b0000_0100), 2), true),
        extension(oid.nameConstraints, Der.sequence(permitted), true),
        extension(oid.subjectKeyIdentifier, Der.octetString(keyId(ownSpki)))
      ]
    }),
    issue: (host) => ({
      key,
      certificate: signed(own.privateKey, now, {
        issuer: title,
        subject: "Errand",
        spki: serverSpki,
        extensions: [
          extension(oid.basicConstraints, Der.sequence(), true),
          extension(oid.keyUsage, Der.bitString(Buffer.of(0b1000_0000), 7), true),
          extension(oid.extendedKeyUsage, Der.sequence(Der.objectId(oid.serverAuth))),
          extension(oid.subjectAltName, Der.sequence(dnsName(host))),
          extension(oid.subjectKeyIdentifier, Der.octetString(keyId(serverSpki))),
          extension(oid.authorityKeyIdentifier, Der.sequence(Der.implicit(0, keyId(ownSpki))))
        ]
      })
    })
  }
}
