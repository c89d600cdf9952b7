import { expect, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer } from "effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { checkForges } from "../../src/cli/server/checkForges.ts"
import * as AppConfigEnv from "../../src/layers/AppConfigEnv.ts"

const found = (settings: Readonly<Record<string, string>>) =>
  checkForges.pipe(
    Effect.provide(
      Layer.provide(
        AppConfigEnv.layer,
        Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(settings))))
      )
    )
  )

it.scopedLive("asks the forges that are set up, and tells which does not answer", () =>
  Effect.gen(function* () {
    const asked: Array<string> = []
    const server = yield* Effect.acquireRelease(
      Effect.async<ReturnType<typeof createServer>>((resume) => {
        const made = createServer((request, response) => {
          asked.push(String(request.url))
          response.writeHead(request.url?.startsWith("/gone") === true ? 502 : 200).end("{}")
        })
        made.listen(0, "127.0.0.1", () => resume(Effect.succeed(made)))
      }),
      (made) =>
        Effect.sync(() => {
          made.closeAllConnections()
          made.close()
        })
    )
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    expect(yield* found({})).toEqual([])
    const github = { ERRAND_GITHUB_CLIENT_ID: "id", ERRAND_GITHUB_CLIENT_SECRET: "secret", ERRAND_GITHUB_URL: url }
    expect(
      yield* found({ ...github, ERRAND_GITHUB_API_URL: `${url}/api`, ERRAND_FORGES: `gitea=${url}/gone` })
    ).toEqual([
      { check: "forge", status: "ok", detail: `${url} answers`, remedy: null },
      {
        check: "forge",
        status: "warning",
        detail: expect.stringMatching(/\/gone does not answer from here: .*502/),
        remedy: expect.stringContaining("ERRAND_FORGES")
      }
    ])
    expect(asked.toSorted()).toEqual(["/api/meta", "/gone/api/v1/version"])
  })
)
