import { expect, it } from "@effect/vitest"
import { ConfigProvider, Effect } from "effect"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { checkGit, checkNode } from "../../src/cli/server/checkMachine.ts"

// Seen to fail with the platform's `Command`, which hands on what this process has.
it.scoped("asks git for its version with none of the server's own variables", () =>
  Effect.gen(function* () {
    const place = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "errand-check-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true }))
    )
    const told = join(place, "told")
    writeFileSync(join(place, "git"), `#!/bin/sh\nexport -p >'${told}'\necho git version 2.39.5\n`, { mode: 0o755 })
    process.env["ERRAND_TEST_CANARY"] = "a key of the server's"
    const finding = yield* checkGit.pipe(
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["PATH", place]]))),
      Effect.ensuring(Effect.sync(() => delete process.env["ERRAND_TEST_CANARY"]))
    )
    expect(finding).toMatchObject({ detail: expect.stringContaining("2.39.5") })
    expect(readFileSync(told, "utf8")).not.toContain("a key of the server's")
  })
)

const gitOf = (version: string) =>
  Effect.gen(function* () {
    const place = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "errand-check-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true }))
    )
    writeFileSync(join(place, "git"), `#!/bin/sh\necho git version ${version}\n`, { mode: 0o755 })
    return yield* Effect.withConfigProvider(checkGit, ConfigProvider.fromMap(new Map([["PATH", place]])))
  })

it.scoped("knows which git is too old", () =>
  Effect.gen(function* () {
    for (const version of ["1.99.0", "2.36.6"]) {
      expect(yield* gitOf(version)).toMatchObject({ status: "problem", detail: `${version} is too old` })
    }
    for (const version of ["2.37.0", "3.0.0"]) expect(yield* gitOf(version)).toMatchObject({ status: "ok" })
  })
)

const statusesOf = (versions: ReadonlyArray<string>) => [...new Set(versions.map((each) => checkNode(each).status))]

it("takes the Nodes that package.json names, and no other", () => {
  const { engines } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
  expect(engines).toEqual({ node: "^20.19.0 || ^22.12.0 || >=24" })
  expect(statusesOf(["18.20.0", "20.18.3", "21.7.3", "22.5.0", "22.11.0", "23.11.1"])).toEqual(["problem"])
  expect(statusesOf(["20.19.0", "20.20.1", "22.12.0", "22.23.3", "24.0.0", "25.1.0", "26.0.0"])).toEqual(["ok"])
})
