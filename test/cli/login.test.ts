/** Signing in from the command line, at a real server over HTTP whose GitHub is one over HTTP, too. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { FetchHttpClient, HttpClient } from "@effect/platform"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Option, Redacted } from "effect"
import { ServerNotStarted, ServerProcess } from "../../src/cli/ServerProcess.ts"
import { make as makeSignals, Signals } from "../../src/cli/Signals.ts"
import * as ForgeSignInGitHub from "../../src/layers/ForgeSignInGitHub.ts"
import * as IdsUlid from "../../src/layers/IdsUlid.ts"
import { Accounts } from "../../src/services/Accounts.ts"
import { AppConfig } from "../../src/services/AppConfig.ts"
import { Pairings } from "../../src/services/Pairings.ts"
import { Sessions } from "../../src/services/Sessions.ts"
import { ask, baseUrl, door, tokenFor } from "../http/door.ts"
import { gitHub } from "../support/github/gitHub.ts"
import { GitHubOAuth } from "../support/github/oauth.ts"
import { settings } from "../support/settings.ts"
import { shell } from "./shell.ts"

/** One person at one machine: what they type, what is kept there, and how often a session was renewed. */
const machine = Effect.gen(function* () {
  const home = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "errand login "))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true }))
  )
  const url = yield* baseUrl
  const pressed = yield* makeSignals
  const asked: Array<string> = []
  const counting = Layer.effect(
    HttpClient.HttpClient,
    Effect.map(
      HttpClient.HttpClient,
      HttpClient.tapRequest((request) => Effect.sync(() => void asked.push(request.url)))
    )
  )
  const world = Layer.mergeAll(
    NodeContext.layer,
    Layer.provide(counting, FetchHttpClient.layer),
    IdsUlid.layer,
    Layer.succeed(Signals, pressed.signals),
    Layer.succeed(ServerProcess, { start: () => new ServerNotStarted({ problem: "not here" }) }),
    Layer.setConfigProvider(
      ConfigProvider.fromMap(
        new Map([
          ["XDG_CONFIG_HOME", home],
          ["ERRAND_URL", url]
        ])
      )
    )
  )
  const path = join(home, "errand", "session.json")
  const kept = () => JSON.parse(readFileSync(path, "utf8")).sessions[url]
  return {
    url,
    path,
    press: pressed.unsafeSend,
    errand: (line: string, said?: (text: string) => Effect.Effect<unknown>) => Effect.provide(shell(line, said), world),
    kept,
    /** As if ten minutes had gone by. */
    expire: () =>
      writeFileSync(path, JSON.stringify({ sessions: { [url]: { ...kept(), accessTokenEndsAt: Date.now() } } })),
    renewals: () => asked.filter((each) => each.endsWith("/api/v1/auth/refresh")).length
  }
})

const scene = <A, E, R>(
  body: (
    scene: Effect.Effect.Success<typeof machine> & { readonly oauth: GitHubOAuth; readonly login: Login }
  ) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function* () {
    const oauth = new GitHubOAuth({ interval: 0 })
    const github = yield* gitHub(oauth.routes)
    const configured = {
      ...settings,
      github: {
        url: github.url,
        apiUrl: github.apiUrl,
        app: Option.some({ clientId: oauth.clientId, clientSecret: Redacted.make(oauth.clientSecret) }),
        allowedLogins: { users: ["ann"], organizations: [] }
      }
    }
    const signIn = Layer.provide(ForgeSignInGitHub.layer, Layer.succeed(AppConfig, configured))
    return yield* Effect.gen(function* () {
      const here = yield* machine
      const login: Login = (decision) =>
        here.errand("login --json", (text) => Effect.sync(() => typeCode(oauth, text, decision)))
      return yield* body({ ...here, oauth, login })
    }).pipe(Effect.provide(door({ settings: configured, signIn })))
  }).pipe(Effect.scoped)

type Login = (decision?: "allow" | "deny") => ReturnType<Effect.Effect.Success<typeof machine>["errand"]>

const typeCode = (oauth: GitHubOAuth, text: string, decision?: "allow" | "deny") => {
  const said = JSON.parse(text)
  if (said.type === "code") oauth.typeCode(said.userCode, decision)
}

const jsonLines = (output: string) =>
  output
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line))

const permissions = (path: string) => statSync(path).mode & 0o777

describe("errand login", () => {
  it.live("shows a code, and keeps the session that it brings for its user alone", () =>
    scene(({ errand, kept, login, path, url }) =>
      Effect.gen(function* () {
        expect(yield* errand("tasks")).toMatchObject({ code: 2, complaints: expect.stringContaining("`errand login`") })
        const { code, output } = yield* login()
        expect(code).toBe(0)
        const [shown, done] = jsonLines(output)
        expect(shown).toMatchObject({ type: "code", verificationUrl: expect.stringMatching(/\/login\/device$/) })
        expect(Object.keys(shown)).not.toContain("deviceCode")
        expect(done).toEqual({ type: "signed-in", server: url, login: "ann", deviceId: kept().deviceId })
        expect(output).not.toContain(kept().refreshToken)
        expect([permissions(path), permissions(join(path, ".."))]).toEqual([0o600, 0o700])
        expect(yield* errand("tasks --json")).toEqual({ code: 0, output: "", complaints: "" })
        expect((yield* errand("tasks --token other")).code).toBe(1)
        const devices = yield* ask("GET", "/api/v1/devices", { token: kept().accessToken })
        expect(devices.json.items).toMatchObject([{ kind: "session", name: expect.stringMatching(/^errand on /) }])
      })
    )
  )

  it.live("says where to go in words, and that the person refused", () =>
    scene(({ errand, login, oauth }) =>
      Effect.gen(function* () {
        const { complaints, code } = yield* login("deny")
        expect([code, complaints]).toEqual([1, "errand: The person refused.\n"])
        const told = yield* errand("login", (text) =>
          Effect.sync(() => oauth.typeCode(/type the code (\S+) there/.exec(text)?.[1] ?? ""))
        )
        expect(told.output).toMatch(/^Open http\S+\/login\/device on any device/)
        expect(told.output).toMatch(/Signed in at \S+ as ann\.\n$/)
      })
    )
  )

  it.live("stops waiting when it is interrupted", () =>
    scene(({ errand, press }) =>
      Effect.map(
        errand("login", () => Effect.sync(() => press("SIGINT"))),
        ({ code }) => expect(code).toBe(130)
      )
    )
  )

  it.live("takes the code of somebody who is in, where there is no GitHub", () =>
    Effect.gen(function* () {
      const { errand, kept } = yield* machine
      const without = yield* errand("login")
      expect(without).toMatchObject({ code: 1, complaints: expect.stringContaining("errand login --code CODE") })
      const { token } = yield* tokenFor("ann")
      const opened = yield* ask("POST", "/api/v1/auth/pair", { token, body: {} })
      const pairings = yield* Pairings
      const { code, output } = yield* errand(`login --json --code ${opened.json.code}`, (text) => {
        const { number, type } = JSON.parse(text)
        return type === "number" ? Effect.orDie(pairings.confirm(opened.json.id, number)) : Effect.void
      })
      expect(code).toBe(0)
      expect(output).not.toContain("secret")
      expect(jsonLines(output)[1]).toMatchObject({ type: "signed-in", login: "ann", deviceId: kept().deviceId })
    }).pipe(Effect.scoped, Effect.provide(door()))
  )
})

describe("the session of the command line", () => {
  it.live("is renewed when its token is over: once, however many commands need it at the same time", () =>
    scene(({ errand, expire, kept, login, renewals }) =>
      Effect.gen(function* () {
        yield* login()
        const before = kept()
        yield* errand("tasks")
        expect(renewals()).toBe(0)
        expire()
        const ends = yield* Effect.all(
          Array.from({ length: 8 }, () => errand("tasks --json")),
          { concurrency: "unbounded" }
        )
        expect(ends.map(({ code }) => code)).toEqual(ends.map(() => 0))
        // Fails without the lock (mutation: `locked` only makes the directory).
        expect(renewals()).toBe(1)
        expect(kept().refreshToken).not.toBe(before.refreshToken)
        expect(kept().deviceId).toBe(before.deviceId)
        expire()
        expect((yield* errand("tasks")).code).toBe(0)
      })
    )
  )

  it.live("goes on after an answer that got lost, and when the server changed the key of its tokens", () =>
    scene(({ errand, expire, kept, login, renewals }) =>
      Effect.gen(function* () {
        yield* login()
        const lost = yield* ask("POST", "/api/v1/auth/refresh", { body: { refreshToken: kept().refreshToken } })
        expire()
        expect((yield* errand("tasks")).code).toBe(0)
        expect(kept().refreshToken).toBe(lost.json.refreshToken)
        yield* Effect.flatMap(Sessions, (sessions) => sessions.rotateKeys({ atOnce: true }))
        // Fails when a 401 is taken for the end (mutation: `renew` is not asked in ErrandClient).
        expect((yield* errand("tasks")).code).toBe(0)
        expect(renewals()).toBe(2)
      })
    )
  )

  it.live("that was revoked is told with its remedy, and forgotten", () =>
    scene(({ errand, kept, login, url }) =>
      Effect.gen(function* () {
        yield* login()
        yield* Effect.flatMap(Accounts, (accounts) => accounts.revoke(Option.none(), kept().deviceId))
        const revoked = yield* errand("tasks")
        expect(revoked.code).toBe(1)
        expect(revoked.complaints).toContain(`Your session at ${url} is over`)
        expect(revoked.complaints).toContain("`errand login`")
        expect(kept()).toBeUndefined()
        expect((yield* errand("tasks")).code).toBe(2)
      })
    )
  )

  it.live("ends at the server and here by errand logout", () =>
    scene(({ errand, expire, kept, login, path, url }) =>
      Effect.gen(function* () {
        yield* login()
        expire()
        const out = yield* errand("logout --json")
        expect(out).toMatchObject({ code: 0, output: `${JSON.stringify({ server: url, signedOut: true })}\n` })
        expect(kept()).toBeUndefined()
        const [device] = yield* Effect.flatMap(Accounts, (accounts) => accounts.devices(Option.none()))
        expect(device?.revokedAt).not.toBeNull()
        expect((yield* errand("logout")).output).toBe(`You were not signed in at ${url}.\n`)
        writeFileSync(path, `{"sessions": {"${url}": {"refreshToken": "errand_refresh_x"}}}`)
        const broken = yield* errand("tasks")
        expect([broken.code, broken.complaints]).toEqual([1, expect.stringContaining(path)])
        expect(broken.complaints).not.toContain("errand_refresh_x")
      })
    )
  )
})
