import { expect, it } from "@effect/vitest"
import { ConfigProvider, Effect } from "effect"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { checkGit } from "../../src/cli/server/checkMachine.ts"

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
