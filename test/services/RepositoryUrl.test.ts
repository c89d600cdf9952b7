import { describe, expect, it } from "@effect/vitest"
import { Arbitrary, Either, FastCheck, Schema } from "effect"
import { parse, type UrlPolicy } from "../../src/services/RepositoryUrl.ts"

const strict: UrlPolicy = { trustedHosts: [], allowLocal: false }
const open: UrlPolicy = { trustedHosts: ["git.lan:3000", "127.0.0.1:8080", "localhost", "[::1]:80"], allowLocal: true }

const accepts = (text: string, policy = strict) => Either.isRight(parse(text, policy))

const reason = (text: string) =>
  Either.match(parse(text, strict), { onLeft: ({ message }) => message, onRight: () => "" })

// Each rule was taken out once: the length, unsafe characters, the hyphen, protocols, user information, queries, the
// canonical spelling, the grammar of paths, its dots and its hyphens, http, addresses, names without a dot, the grammar of
// hosts, local paths and their dots. Each time one of these tests failed.
describe("parse", () => {
  it("takes public repositories as they are written", () => {
    for (const [text, scheme, host] of [
      ["https://github.com/acme/app", "https", "github.com"],
      ["https://github.com/acme/app.git", "https", "github.com"],
      ["https://git.example.co.uk/deep/er/app/", "https", "git.example.co.uk"],
      ["https://git.example.com:8443/app", "https", "git.example.com:8443"],
      ["https://xn--bcher-kva.example/app", "https", "xn--bcher-kva.example"],
      ["https://example.com/~user/a+b@c_d.e", "https", "example.com"],
      ["ssh://git@github.com/acme/app.git", "ssh", "github.com"],
      ["ssh://git@example.com:2222/app", "ssh", "example.com:2222"],
      ["git@github.com:acme/app.git", "ssh", "github.com"]
    ] as const) {
      expect(parse(text, strict)).toEqual(Either.right({ scheme, host, trusted: false, url: text }))
    }
  })

  it("takes trusted hosts wherever they are", () => {
    for (const [text, scheme, host] of [
      ["http://git.lan:3000/app.git", "http", "git.lan:3000"],
      ["https://git.lan:3000/app.git", "https", "git.lan:3000"],
      ["http://127.0.0.1:8080/app", "http", "127.0.0.1:8080"],
      ["https://localhost/app", "https", "localhost"]
    ] as const) {
      expect(parse(text, open)).toEqual(Either.right({ scheme, host, trusted: true, url: text }))
      expect([text, accepts(text, strict)]).toEqual([text, text === "https://git.lan:3000/app.git"])
    }
    for (const text of [
      "http://git.lan/app",
      "http://git.lan:3001/app",
      "http://127.0.0.1:8081/app",
      "http://a.git.lan:3000/b"
    ]) {
      expect([text, accepts(text, open)]).toEqual([text, false])
    }
  })

  it("takes local repositories where they are allowed", () => {
    for (const text of ["/srv/git/app.git", "/srv/my repositories/app", "file:///srv/git/app.git"]) {
      expect(parse(text, open)).toEqual(Either.right({ scheme: "file", host: "", trusted: true, url: text }))
      expect(accepts(text, strict)).toBe(false)
    }
    for (const text of [
      "/srv/../etc",
      "file:///srv/../etc",
      "file:///srv/%2e%2e/etc",
      "/srv/./x",
      "/srv/a\nb",
      "/srv/a\u0000b",
      "/srv/a\\b",
      "file://host/srv",
      "srv/git",
      "./x",
      "~/x",
      "file:srv"
    ]) {
      expect([text, accepts(text, open)]).toEqual([text, false])
    }
  })

  it("takes no other protocol, option or command", () => {
    for (const text of [
      "",
      "app",
      "http://example.com/app",
      "git://example.com/app",
      "ftp://example.com/app",
      "ext::sh -c id",
      "ext::sh",
      "fd::3",
      "javascript:alert(1)",
      "--upload-pack=touch /tmp/x",
      "-u",
      "ssh://-oProxyCommand=id/app",
      "ssh://git@-oProxyCommand=id/app",
      "git@-oProxyCommand=id:app",
      "git@example.com:-x",
      "git@example.com:a/-x",
      "https://example.com/-x",
      "https://example.com/--upload-pack=x/y",
      "ssh://git@example.com/a;id",
      "git@example.com:$(id)",
      "git@example.com:a b",
      "root@example.com:app",
      "https::https://example.com/app"
    ]) {
      expect([text, accepts(text), accepts(text, open)]).toEqual([text, false, false])
    }
  })

  it("takes no user information", () => {
    for (const text of [
      "https://user@example.com/app",
      "https://user:password@example.com/app",
      "https://:password@example.com/app",
      "https://@example.com/app",
      "https://github.com@evil.example.com/app",
      "https://github.com%40evil.example.com/app",
      "ssh://root@example.com/app",
      "ssh://git:password@example.com/app"
    ]) {
      expect([text, accepts(text), accepts(text, open)]).toEqual([text, false, false])
    }
  })

  it("takes no address, in any spelling, and no local name", () => {
    for (const host of [
      "127.0.0.1",
      "127.1",
      "2130706433",
      "0x7f.0.0.1",
      "0177.0.0.1",
      "169.254.169.254",
      "2852039166",
      "8.8.8.8",
      "[::1]",
      "[::ffff:127.0.0.1]",
      "[::ffff:a9fe:a9fe]",
      "\u2460\u2461\u2466.0.0.1",
      "localhost",
      "metadata",
      "example.com.",
      ".example.com",
      "exa_mple.com",
      "-a.example.com",
      "a-.example.com",
      `${"a".repeat(64)}.com`
    ]) {
      for (const text of [`https://${host}/app`, `ssh://git@${host}/app`, `git@${host}:app`]) {
        expect([text, accepts(text)]).toEqual([text, false])
      }
    }
  })

  it("repairs nothing: what a browser would make right is refused", () => {
    for (const text of [
      "HTTPS://example.com/app",
      "https://Example.com/app",
      "https://example.com:443/app",
      "https://example.com:/app",
      "https://example.com:0443/app",
      "https:/example.com/app",
      "https:example.com/app",
      "https:///example.com/app",
      "https:\\\\example.com\\app",
      "https://ex%61mple.com/app",
      "https://ex\u00adample.com/app",
      "https://b\u00fccher.example/app",
      "https://example\u3002com/app",
      "https://example.com/a/../b",
      "https://example.com/a/./b",
      "https://example.com/a/%2e%2e/b",
      "https://example.com/%2fb",
      "https://example.com/a%00b",
      "https://example.com//a",
      "https://example.com/a//b",
      "https://example.com/",
      "https://example.com",
      "https://example.com/a?b",
      "https://example.com/a?",
      "https://example.com/a#b",
      "https://example.com/a#",
      "https://example.com/\u00fc",
      " https://example.com/a",
      "https://example.com/a ",
      "https://example.com/a\n",
      "https://exam\tple.com/a",
      "https://example.com/a\u0000",
      "https://example.com/a\u3000b",
      "https://example.com/a\u200bb",
      "git@example.com:/a",
      "git@example.com://a",
      "git@example.com:a/../b",
      "git@Example.com:a",
      "ssh://git@example.com/a/../b",
      `https://example.com/${"a".repeat(2048)}`
    ]) {
      expect([text, accepts(text), accepts(text, open)]).toEqual([text, false, false])
    }
  })

  it("says why, and what to do instead", () => {
    expect(reason("https://u:secret@example.com/a")).toContain("PUT /git-credentials/{host}")
    expect(reason("https://u:secret@example.com/a")).not.toContain("secret")
    expect(reason("http://example.com/a")).toContain("ERRAND_TRUSTED_GIT_HOSTS")
    expect(reason("https://10.0.0.1/a")).toContain("ERRAND_TRUSTED_GIT_HOSTS")
    expect(reason("/srv/a")).toContain("ERRAND_ALLOW_LOCAL_REPOSITORIES")
    expect(reason("--upload-pack=id")).toContain("as an option does")
    expect(reason("https://example.com/a?b")).toContain("a query")
    expect(reason("")).toContain("1 to 2048 characters")
  })

  it("accepts only what means the same to every reader", () => {
    const part = Arbitrary.make(Schema.String.pipe(Schema.maxLength(12)))
    const url = FastCheck.tuple(
      FastCheck.constantFrom("https://", "ssh://git@", "git@", "https:", "file://", ""),
      part,
      FastCheck.constantFrom("example.com", "github.com:8443", "", "@", "%"),
      FastCheck.constantFrom("/", ":", "//", "/./", ""),
      part
    )
    FastCheck.assert(
      FastCheck.property(url, (parts) => {
        const text = parts.join("")
        for (const policy of [strict, open]) {
          const parsed = parse(text, policy)
          if (Either.isLeft(parsed)) continue
          expect(parsed.right.url).toBe(text)
          expect(text).toMatch(parsed.right.scheme === "file" ? /^[\x20-\x7e]+$/ : /^[\x21-\x7e]+$/)
          if (parsed.right.scheme === "https") expect(text.startsWith(`https://${parsed.right.host}/`)).toBe(true)
        }
      }),
      { numRuns: 3000 }
    )
  })
})
