import { describe, expect, it } from "@effect/vitest"
import { Option } from "effect"
import { isDirectFromLoopback, make } from "../../src/http/hostGuard.ts"

const local = make({ host: "127.0.0.1", publicUrl: Option.none() })
const open = make({ host: "0.0.0.0", publicUrl: Option.none() })
const behindProxy = make({ host: "127.0.0.1", publicUrl: Option.some("https://errand.example") })

describe("names", () => {
  it.each(["127.0.0.1:8787", "localhost:8787", "[::1]:8787", "192.168.1.5", "app.localhost"])("%s is safe", (host) => {
    expect(local.allowsHost(host)).toBe(true)
  })

  it.each(["evil.example", "evil.example:8787", "127.0.0.1.evil.example", "localhost.evil.example", "", undefined])(
    "%s is refused by a local server",
    (host) => {
      expect(local.allowsHost(host)).toBe(false)
      expect(open.isKnownHost(host)).toBe(false)
    }
  )

  it("knows its public name, and no other", () => {
    expect(behindProxy.allowsHost("errand.example")).toBe(true)
    expect(behindProxy.allowsHost("ERRAND.example:443")).toBe(true)
    expect(behindProxy.allowsHost("other.example")).toBe(false)
  })

  it("answers under any name on a network, where its own programs give it names", () => {
    const published = make({ host: "0.0.0.0", publicUrl: Option.some("https://errand.example") })
    for (const guard of [open, published]) expect(guard.allowsHost("errand:8787")).toBe(true)
  })
})

describe("pages", () => {
  it("may be missing, as with programs", () => {
    expect(local.allowsOrigin(undefined, "127.0.0.1:8787")).toBe(true)
  })

  it("are those of the public URL, or of the server itself", () => {
    expect(behindProxy.allowsOrigin("https://errand.example", "errand.example")).toBe(true)
    expect(local.allowsOrigin("http://127.0.0.1:8787", "127.0.0.1:8787")).toBe(true)
  })

  it.each(["https://evil.example", "null", "https://errand.example, https://evil.example", "http://errand.example:1"])(
    "%s is foreign",
    (origin) => {
      expect(behindProxy.allowsOrigin(origin, "errand.example")).toBe(false)
    }
  )

  it("are not believed under a name that may lead anywhere", () => {
    expect(open.allowsOrigin("http://evil.example", "evil.example")).toBe(false)
  })
})

describe("this machine", () => {
  it.each(["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])("%s is it", (address) => {
    expect(isDirectFromLoopback(Option.some(address), {})).toBe(true)
  })

  it("is not another one, nor unknown", () => {
    expect(isDirectFromLoopback(Option.some("10.0.0.1"), { "x-forwarded-for": "127.0.0.1" })).toBe(false)
    expect(isDirectFromLoopback(Option.none(), {})).toBe(false)
  })

  it.each(["x-forwarded-for", "forwarded", "x-forwarded-host", "via"])("is not asking when a proxy says %s", (name) => {
    expect(isDirectFromLoopback(Option.some("127.0.0.1"), { [name]: "127.0.0.1" })).toBe(false)
  })
})
