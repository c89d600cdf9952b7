/**
 * A GitHub over HTTP on loopback: its REST API under `/api/v3`, as GitHub Enterprise has it, git beside it, and the
 * faults that both have. Every request and every answer is held to the description that GitHub publishes; what is not
 * as published fails the test when the server's scope closes.
 */
import { Effect, type Scope } from "effect"
import { createHmac, randomUUID } from "node:crypto"
import { rmSync } from "node:fs"
import { createServer } from "node:http"
import type { CommitId } from "../../../src/services/Ids.ts"
import { commitFiles, type FileSpec, makeBare } from "../gitRepository.ts"
import type { Json } from "./fill.ts"
import { webhookOf } from "./published.ts"
import { type GitHubFault, type SeenCall, Site, type WebRoute } from "./Site.ts"
import type { GitHubState, Permission, Repository } from "./state.ts"

export interface GitHub {
  /** As ERRAND_GITHUB_URL has it. */
  readonly url: string
  /** As ERRAND_GITHUB_API_URL has it. */
  readonly apiUrl: string
  /** As ERRAND_TRUSTED_GIT_HOSTS has it. */
  readonly host: string
  readonly state: GitHubState
  /** A repository with a first commit, by its full name. */
  readonly create: (
    name: string,
    options: {
      readonly files: Readonly<Record<string, FileSpec>>
      readonly permissions: Readonly<Record<string, Permission>>
    }
  ) => Effect.Effect<{ readonly url: string; readonly repository: Repository; readonly commit: CommitId }>
  /**
   * The next `times` requests that begin so meet a fault: `POST /repos` for the API, `push`, `fetch` or `refs` for git.
   */
  readonly fail: (what: string, fault: GitHubFault, times?: number) => void
  readonly heal: () => void
  readonly calls: () => ReadonlyArray<SeenCall>
  /** Sends a webhook as GitHub does, by its published name, and gives the status of the answer. */
  readonly deliver: (
    target: string,
    name: string,
    payload: Json,
    options: { readonly secret: string; readonly id?: string; readonly signature?: string }
  ) => Promise<number>
}

/** A running GitHub on a free port of loopback, gone with the scope; `web` are pages beside the API. */
export const gitHub = (web: ReadonlyArray<WebRoute> = []): Effect.Effect<GitHub, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<{ readonly site: Site; readonly server: ReturnType<typeof createServer> }>((resume) => {
      const site = new Site(web)
      const server = createServer((request, response) => {
        site.serve(request, response).catch((error: unknown) => {
          site.violations.push(`it broke: ${String(error)}`)
          response.destroy()
        })
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        site.url = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
        resume(Effect.succeed({ site, server }))
      })
    }),
    ({ server, site }) =>
      Effect.gen(function* () {
        server.closeAllConnections()
        server.close()
        rmSync(site.root, { recursive: true, force: true })
        if (site.violations.length > 0) return yield* Effect.dieMessage(site.violations.join("\n"))
      })
  ).pipe(
    Effect.map(({ site }) => ({
      url: site.url,
      apiUrl: `${site.url}/api/v3`,
      host: new URL(site.url).host,
      state: site.state,
      create: (name, { files, permissions }) =>
        Effect.gen(function* () {
          const repository = site.state.addRepository(name, permissions)
          yield* makeBare(repository.path)
          const commit = yield* commitFiles(repository.path, files)
          return { url: `${site.url}/${name}.git`, repository, commit }
        }),
      fail: (what, fault, times = 1) => {
        for (let time = 0; time < times; time++) site.faults.push({ what, fault })
      },
      heal: () => void site.faults.splice(0),
      calls: () => [...site.calls],
      deliver: async (target, name, payload, { id = randomUUID(), secret, signature }) => {
        const body = JSON.stringify(webhookOf(name, payload))
        const signed = `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`
        const response = await fetch(target, {
          method: "POST",
          headers: {
            "content-type": "application/json",
            "user-agent": "GitHub-Hookshot/044aadd",
            "x-github-event": eventOf(name),
            "x-github-delivery": id,
            "x-hub-signature-256": signature ?? signed
          },
          body
        })
        await response.arrayBuffer()
        return response.status
      }
    }))
  )

/** `issue-comment-created` is the action `created` of the event `issue_comment`. */
const eventOf = (name: string): string => {
  const withoutAction = name.includes("-") ? name.slice(0, name.lastIndexOf("-")) : name
  return withoutAction.replaceAll("-", "_")
}
