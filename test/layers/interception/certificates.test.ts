import { assert, describe, expect, it } from "@effect/vitest"
import { X509Certificate } from "node:crypto"
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { makeAuthority } from "../../../src/layers/interception/certificates.ts"

const hosts = ["api.example", "a-very-long-label-of-a-host-that-makes-the-length-of-its-name-matter.registry.example"]

/** What the strictest check of OpenSSL says: `OK`, or why not. */
const judge = (authority: string, certificate: string, host: string): string => {
  const directory = mkdtempSync(join(tmpdir(), "errand-certificates-"))
  try {
    writeFileSync(join(directory, "authority.pem"), authority)
    writeFileSync(join(directory, "certificate.pem"), certificate)
    const strictly = ["-x509_strict", "-purpose", "sslserver", "-verify_hostname", host, "-CAfile", "authority.pem"]
    return execFileSync("openssl", ["verify", ...strictly, "certificate.pem"], {
      cwd: directory,
      encoding: "utf8",
      stdio: "pipe"
    })
  } catch (error) {
    return String(error)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

describe("an authority of a run", () => {
  const authority = makeAuthority("Errand, run 1", hosts, Date.now())

  it("issues certificates for its hosts that strict clients take", () => {
    for (const host of hosts)
      expect(judge(authority.certificate, authority.issue(host).certificate, host)).toContain("OK")
  })

  it("is an authority for these hosts and nothing else", () => {
    const root = new X509Certificate(authority.certificate)
    assert.isTrue(root.ca)
    assert.isTrue(root.verify(root.publicKey))
    const leaf = new X509Certificate(authority.issue("api.example").certificate)
    assert.isFalse(leaf.ca)
    assert.strictEqual(leaf.checkHost("other.example"), undefined)
    assert.isAtMost(Date.parse(root.validTo) - Date.now(), 33 * 24 * 3600_000)
  })

  // Seen to fail without the constraint of names in the authority's certificate.
  it("is not believed for another host, even if its key were stolen", () => {
    expect(judge(authority.certificate, authority.issue("bank.example").certificate, "bank.example")).toContain(
      "permitted subtree violation"
    )
  })

  it("is not believed by who trusts another run's", () => {
    const other = makeAuthority("Errand, run 1", hosts, Date.now())
    expect(judge(other.certificate, authority.issue("api.example").certificate, "api.example")).toContain(
      "Command failed"
    )
  })
})
