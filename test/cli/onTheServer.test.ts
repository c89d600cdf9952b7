import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { layer } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Option, Redacted } from "effect"
import { afterAll, expect } from "vitest"
import { withAccounts } from "../../src/cli/server/accounts.ts"
import type { Finding } from "../../src/cli/server/Finding.ts"
import * as Settings from "../../src/cli/server/settings.ts"
import { AppConfig } from "../../src/services/AppConfig.ts"
import { shell } from "./shell.ts"
import { world } from "./world.ts"

const place = mkdtempSync(join(tmpdir(), "errand cli "))
afterAll(() => rmSync(place, { recursive: true, force: true }))

let directories = 0
const newDirectory = () => {
  const directory = join(place, `data ${++directories}`)
  mkdirSync(directory, { mode: 0o700 })
  return directory
}

/** As if these were the environment variables. */
const inEnvironment = (variables: Readonly<Record<string, string>>) =>
  Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables))))

const jsonLines = (output: string) =>
  output
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line))

/** Whose token it is, as a server on this directory would find out. */
const ownerOf = (token: string) =>
  Effect.scoped(
    Effect.flatMap(Layer.build(Settings.layer), (context) =>
      withAccounts((accounts) => accounts.authenticate(Redacted.make(token))).pipe(
        Effect.map(Option.map(({ scopes, user }) => ({ login: user.login, role: user.role, scopes }))),
        Effect.provide(context)
      )
    )
  )

layer(world, { excludeTestServices: true })("errand token", (it) => {
  it.effect("makes a token that is alone on standard output, lists it, and ends it", () =>
    Effect.gen(function* () {
      const made = yield* shell("token create --login ada --name laptop")
      expect(made.code).toBe(0)
      expect(made.output).toMatch(/^errand_pat_[0-9A-Za-z]{49}\n$/)
      expect(made.complaints).toContain("Access token of ada (owner; read, write)")
      const token = made.output.trim()
      expect(yield* ownerOf(token)).toEqual(Option.some({ login: "ada", role: "owner", scopes: ["read", "write"] }))

      const [listed] = jsonLines((yield* shell("token list --json")).output)
      expect(listed).toMatchObject({ login: "ada", name: "laptop", scopes: ["read", "write"], revokedAt: null })
      expect(JSON.stringify(listed)).not.toContain(token)
      expect((yield* shell("token list")).output).toMatch(/^device_\w{26} {2}ada {2}laptop {2}read,write/)
      expect((yield* shell("token list --login nobody")).output).toBe("no tokens\n")

      expect(yield* shell(`token revoke ${listed.id}`)).toMatchObject({ code: 0, output: `revoked ${listed.id}\n` })
      expect(yield* ownerOf(token)).toEqual(Option.none())
      expect((yield* shell("token list")).output).toContain("revoked 2")
      expect(yield* shell(`token revoke device_${"0".repeat(26)}`)).toMatchObject({ code: 1, output: "" })
    }).pipe(inEnvironment({ ERRAND_DATA_DIR: newDirectory() }))
  )

  it.effect("gives the scopes that were asked for, to members too", () =>
    Effect.gen(function* () {
      yield* shell("token create --login ada")
      const [made] = jsonLines((yield* shell("token create --login grace --scope read --json")).output)
      expect(made).toMatchObject({ login: "grace", role: "member", device: { name: "command line", scopes: ["read"] } })
      expect(yield* ownerOf(made.token)).toEqual(Option.some({ login: "grace", role: "member", scopes: ["read"] }))
      expect(yield* shell("token create --login no!")).toMatchObject({ code: 1, output: "" })
    }).pipe(inEnvironment({ ERRAND_DATA_DIR: newDirectory() }))
  )

  it.effect("says what is wrong with the data directory", () =>
    Effect.gen(function* () {
      const directory = newDirectory()
      writeFileSync(
        join(directory, "errand.db"),
        "this is no database, and long enough to be looked at as one".repeat(99)
      )
      const { code, complaints, output } = yield* inEnvironment({ ERRAND_DATA_DIR: directory })(shell("token list"))
      expect({ code, output }).toEqual({ code: 1, output: "" })
      expect(complaints).toContain("errand.db can't be used")
    })
  )
})

const findings = (environment: Readonly<Record<string, string>>) =>
  Effect.map(inEnvironment(environment)(shell("doctor --json")), ({ code, output }) => ({
    code,
    findings: Object.fromEntries(jsonLines(output).map((finding: Finding) => [finding.check, finding]))
  }))

layer(world, { excludeTestServices: true })("errand doctor", (it) => {
  it.effect("finds a scripted server on a machine without an engine usable, and says what it is not", () =>
    Effect.gen(function* () {
      const directory = newDirectory()
      const script = join(directory, "script.json")
      writeFileSync(script, JSON.stringify({ scenarios: [{ name: "all", steps: [{ text: "Hello." }] }] }))
      const environment = {
        ERRAND_DATA_DIR: directory,
        ERRAND_SANDBOX: "process",
        ERRAND_ALLOW_UNSANDBOXED: "true",
        ERRAND_MODEL: "scripted",
        ERRAND_SCRIPT: script
      }
      const { code, findings: found } = yield* findings(environment)
      expect(code).toBe(0)
      expect(Object.values(found).map(({ check, status }) => `${check} ${status}`)).toEqual([
        "node ok",
        "git ok",
        "settings ok",
        "data directory ok",
        "sandbox warning",
        "model warning",
        "disk ok",
        "access warning",
        "network ok",
        "privacy ok",
        "secret key ok",
        "database ok",
        "backup warning",
        "restore warning"
      ])
      expect(found["access"]?.remedy).toContain("token create --login NAME")
      expect((yield* findings({ ...environment, ERRAND_STRICT: "true" })).code).toBe(1)
      yield* inEnvironment(environment)(shell("token create --login ada"))
      expect((yield* findings(environment)).findings["access"]).toMatchObject({ status: "ok", remedy: null })
    })
  )

  it.effect("names every problem with its remedy", () =>
    Effect.gen(function* () {
      const directory = newDirectory()
      const { code, findings: found } = yield* findings({
        ERRAND_DATA_DIR: directory,
        DOCKER_HOST: `unix://${join(directory, "no.sock")}`,
        ERRAND_HOST: "0.0.0.0",
        ERRAND_DISK_FLOOR: "900t"
      })
      expect(code).toBe(1)
      expect(found["sandbox"]).toMatchObject({ status: "problem", detail: expect.stringContaining("No Docker engine") })
      expect(found["model"]).toMatchObject({ status: "problem", remedy: expect.stringContaining("ANTHROPIC_API_KEY") })
      expect(found["disk"]).toMatchObject({ status: "problem", remedy: expect.stringContaining("ERRAND_DISK_FLOOR") })
      expect(found["network"]).toMatchObject({
        status: "warning",
        remedy: expect.stringContaining("ERRAND_PUBLIC_URL")
      })
      for (const { remedy, status } of Object.values(found)) expect(remedy === null).toBe(status === "ok")
    })
  )

  it.effect("tells all settings that can't be used, and goes on with the rest", () =>
    Effect.gen(function* () {
      const { code, findings: found } = yield* findings({ ERRAND_PORT: "eighty", ERRAND_MAX_RUNNING: "0" })
      expect(code).toBe(1)
      expect(found["settings"]?.detail).toContain("ERRAND_PORT")
      expect(found["settings"]?.detail).toContain("ERRAND_MAX_RUNNING")
      expect(found["git"]?.status).toBe("ok")
    })
  )
})

layer(world, { excludeTestServices: true })("settings", (it) => {
  it.effect("come from the environment first, and from .env below it", () =>
    Effect.gen(function* () {
      const directory = newDirectory()
      writeFileSync(join(directory, ".env"), "ERRAND_PORT=1111\nERRAND_HOST=10.0.0.1\n#ERRAND_MAX_RUNNING=9\n")
      const before = process.cwd()
      yield* Effect.acquireRelease(
        Effect.sync(() => process.chdir(directory)),
        () => Effect.sync(() => process.chdir(before))
      )
      const context = yield* inEnvironment({ ERRAND_PORT: "2222" })(Layer.build(Settings.layer))
      const { host, maxRunning, port } = yield* Effect.provide(AppConfig, context)
      expect({ host, maxRunning, port }).toEqual({ host: "10.0.0.1", maxRunning: 4, port: 2222 })
    }).pipe(Effect.scoped)
  )
})
