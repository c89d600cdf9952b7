/** What most end-to-end tests need: a server whose model plays a script, and a git server beside it. */
import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll } from "vitest"
import type { ScriptSource } from "../../src/layers/scripted/Script.ts"
import { Errand } from "./errand.ts"
import { type GitServer, gitServer } from "./gitServer.ts"
import { messagesApi } from "./messagesApi.ts"

export interface ScriptedServer {
  readonly git: GitServer
  readonly errand: Errand
}

/** Begins before the tests of this `describe` and ends after them; they get it by calling what this gives. */
export const scriptedServer = (
  scenarios: ScriptSource["scenarios"],
  settings: Readonly<Record<string, string>> = {}
): (() => ScriptedServer) => {
  const scope = Effect.runSync(Scope.make())
  let server: ScriptedServer | undefined

  beforeAll(async () => {
    const git = await Effect.runPromise(Scope.extend(gitServer, scope))
    const api = await Effect.runPromise(Scope.extend(messagesApi({ script: { scenarios } }), scope))
    const errand = new Errand({
      ANTHROPIC_API_KEY: "sk-test",
      ANTHROPIC_BASE_URL: api.url,
      ERRAND_MODEL: "claude-sonnet-4-5",
      ERRAND_TRUSTED_GIT_HOSTS: git.host,
      ...settings
    })
    server = { git, errand }
    await errand.start()
  })

  afterAll(async () => {
    await server?.errand.dispose()
    await Effect.runPromise(Scope.close(scope, Exit.void))
  })

  return () => {
    if (server === undefined) throw new Error("the server has not begun yet")
    return server
  }
}
