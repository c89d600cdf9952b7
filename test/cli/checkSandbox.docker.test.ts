/** The start-up checks of the sandboxes, on a real engine. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { checkSandbox } from "../../src/cli/server/checkSandbox.ts"
import type { Finding } from "../../src/cli/server/Finding.ts"
import * as AppConfigEnv from "../../src/layers/AppConfigEnv.ts"
import * as IdsUlid from "../../src/layers/IdsUlid.ts"
import type { Settings } from "../../src/services/AppConfig.ts"
import { docker } from "../support/dockerSandbox.ts"
import { describeWithEngine } from "../support/engine.ts"

const newDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "errand checks "))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const findings = (dataDir: string, changes: Partial<Pick<Settings, "acceptedFindings">> = {}) =>
  checkSandbox.pipe(
    Effect.provide(Layer.mergeAll(AppConfigEnv.layerWith({ dataDir, ...changes }), NodeContext.layer, IdsUlid.layer)),
    Effect.map((found) => Object.fromEntries(found.map((finding): [string, Finding] => [finding.check, finding])))
  )

describeWithEngine("the checks of sandboxes", () => {
  it.scopedLive("try the walls of one, leave nothing behind, and let pass what is accepted", () =>
    Effect.gen(function* () {
      const dataDir = yield* newDirectory
      const found = yield* findings(dataDir)
      assert.hasAllKeys(found, [
        "engine",
        "runtime",
        "engine socket",
        "system calls",
        "user namespace",
        "sandbox disk",
        "clock"
      ])
      // Seen to fail, with what is open, when a sandbox has the engine's own profile.
      assert.strictEqual(found["system calls"]?.status, "ok", found["system calls"]?.detail)
      assert.strictEqual(found["sandbox disk"]?.status, process.getuid?.() === 0 ? "ok" : "warning")
      for (const { remedy, status } of Object.values(found)) assert.strictEqual(remedy === null, status === "ok")
      const acceptedFindings = Object.values(found).flatMap(({ remedy }) => {
        const word = /ERRAND_ACCEPTED_FINDINGS=(\S+)$/.exec(remedy ?? "")?.[1]
        return word === undefined ? [] : [word]
      })
      const accepted = yield* findings(dataDir, { acceptedFindings })
      assert.deepStrictEqual(
        Object.values(accepted).filter(({ status }) => status === "warning"),
        []
      )
      assert.deepStrictEqual(readdirSync(dataDir), [])
      const containers = yield* Effect.promise(() => docker.listContainers({ all: true }))
      assert.isFalse(containers.some(({ Labels }) => Labels["errand.server"]?.startsWith("probe-")))
    })
  )
})
