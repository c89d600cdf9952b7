/** The model as it really is reached: over TLS, with a certificate that the operator's authority has signed, or nobody's. */
import { Effect, Exit, Scope } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createServer, type Server } from "node:tls"
import { afterAll, beforeAll, expect, it } from "vitest"
import { makeAuthority } from "../../src/layers/interception/certificates.ts"
import { Errand } from "../support/errand.ts"
import { commitFiles, makeBare } from "../support/gitRepository.ts"
import { type MessagesApi, messagesApi } from "../support/messagesApi.ts"

const host = "localhost"
const script = {
  scenarios: [
    { name: "one", match: "One step", steps: [{ tools: [{ name: "list_files", input: {} }] }, { text: "Done." }] }
  ]
} as const

/** Passes on what comes over TLS. */
const terminator = (api: MessagesApi, identity: { readonly certificate: string; readonly key: string }): Server =>
  createServer({ cert: identity.certificate, key: identity.key }, (outside) => {
    const inside = connect(Number(new URL(api.url).port), "127.0.0.1")
    outside.pipe(inside).pipe(outside)
    for (const socket of [inside, outside]) socket.on("error", () => [inside, outside].forEach((one) => one.destroy()))
  })

let scope: Scope.CloseableScope
let directory: string
let server: Server
let address: string
let api: MessagesApi

beforeAll(async () => {
  scope = await Effect.runPromise(Scope.make())
  directory = mkdtempSync(join(tmpdir(), "errand tls "))
  const authority = makeAuthority("test", [host], Date.now())
  writeFileSync(join(directory, "authority.pem"), authority.certificate)
  await Effect.runPromise(
    Effect.zipRight(
      makeBare(join(directory, "remote.git")),
      commitFiles(join(directory, "remote.git"), { "README.md": "Over TLS.\n" })
    )
  )
  api = await Effect.runPromise(Scope.extend(messagesApi({ script }), scope))
  server = terminator(api, authority.issue(host))
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening))
  const bound = server.address()
  address = `https://${host}:${typeof bound === "object" && bound !== null ? bound.port : 0}`
})

afterAll(async () => {
  server.close()
  await Effect.runPromise(Scope.close(scope, Exit.void))
  rmSync(directory, { recursive: true, force: true })
})

/** A task of one step with the model at `address`, as it is when it rests. */
const tryTask = async (environment: Readonly<Record<string, string>>) => {
  const errand = new Errand({
    ANTHROPIC_API_KEY: "none-is-needed",
    ANTHROPIC_BASE_URL: address,
    ERRAND_MODEL: "claude-sonnet-5-5",
    ERRAND_SANDBOX: "process",
    ERRAND_ALLOW_UNSANDBOXED: "true",
    ERRAND_DEFAULT_NETWORK: "open",
    ERRAND_ALLOW_LOCAL_REPOSITORIES: "true",
    ...environment
  })
  try {
    await errand.start()
    const { body } = await errand.call("POST", "tasks", {
      repository: { url: join(directory, "remote.git") },
      prompt: "One step",
      delivery: "none"
    })
    await expect
      .poll(async () => (await errand.call("GET", `tasks/${body["id"]}/events?after=0&limit=500`)).body["items"], {
        timeout: 30_000
      })
      .toSatisfy((items: ReadonlyArray<{ event: { type: string } }>) =>
        items.some(({ event }) => ["task.completed", "task.failed", "retry.scheduled"].includes(event.type))
      )
    return (await errand.call("GET", `tasks/${body["id"]}`)).body
  } finally {
    await errand.dispose()
  }
}

it("answers over TLS when its certificate is trusted", async () => {
  const task = await tryTask({ NODE_EXTRA_CA_CERTS: join(directory, "authority.pem") })
  expect(task).toMatchObject({ status: "completed", error: null })
  expect(api.requests.length).toBe(2)
  // One connection serves both turns.
  expect(api.connections()).toBe(1)
})

it("is told nothing when its certificate is not trusted", async () => {
  const before = api.requests.length
  const task = await tryTask({})
  expect(task["status"]).not.toBe("completed")
  expect(api.requests.length).toBe(before)
})
