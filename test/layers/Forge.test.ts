/** Forge on a GitHub and a Gitea over HTTP, and in memory. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted } from "effect"
import { execFileSync } from "node:child_process"
import * as ForgeMemory from "../../src/layers/ForgeMemory.ts"
import * as ForgeOctokit from "../../src/layers/ForgeOctokit.ts"
import * as ForgeTokensMemory from "../../src/layers/ForgeTokensMemory.ts"
import * as GitCredentialsMemory from "../../src/layers/GitCredentialsMemory.ts"
import { AppConfig, type Settings } from "../../src/services/AppConfig.ts"
import { Forge } from "../../src/services/Forge.ts"
import { ForgeTokens } from "../../src/services/ForgeTokens.ts"
import { GitCredentials } from "../../src/services/GitCredentials.ts"
import { forgeApiContract, type ForgeApiScene, forgeContract } from "../support/forgeContract.ts"
import { gitea } from "../support/gitea.ts"
import { gitHub } from "../support/github/gitHub.ts"
import type { GitHubFault } from "../support/github/Site.ts"
import type { Repository } from "../support/github/state.ts"
import { commitFiles, gitText, makeBare } from "../support/gitRepository.ts"
import { owner } from "../support/gitStore.ts"
import { settings } from "../support/settings.ts"

/** ForgeOctokit with a token that its owner stored, or with a sign-in. */
const octokit = (own: Partial<Settings>, host: string, token: string) =>
  ForgeOctokit.layer.pipe(
    Layer.provideMerge(
      Layer.effectDiscard(
        Effect.flatMap(GitCredentials, ({ put }) => put(owner, host, { kind: "token", value: Redacted.make(token) }))
      )
    ),
    Layer.provideMerge(Layer.merge(GitCredentialsMemory.layer, ForgeTokensMemory.layer)),
    Layer.provide(Layer.succeed(AppConfig, { ...settings, ...own, trustedGitHosts: [host] })),
    Layer.orDie
  )

/** Two branches with work, and a comment. */
const furnish = Effect.fnUntraced(function* (repository: Repository) {
  const head = yield* commitFiles(repository.path, { "one.txt": "1\n" }, { branch: "errand/one" })
  yield* commitFiles(repository.path, { "two.txt": "2\n" }, { branch: "errand/two" })
  repository.comments.push({ id: 77, issue: 1, author: "ann", body: "@errand hello", reactions: [] })
  return head
})

const files = { "a.txt": "a\n" }

const atGitHub = Effect.gen(function* () {
  const github = yield* gitHub()
  const token = github.state.addToken("ann")
  const { repository, url } = yield* github.create("acme/app", { files, permissions: { ann: "write" } })
  for (const branch of ["errand/one", "errand/two"]) {
    execFileSync("git", ["--git-dir", repository.path, "branch", branch, "main"])
  }
  const head = yield* furnish(repository)
  const own = { github: { ...settings.github, url: github.url, apiUrl: github.apiUrl } }
  const layer = octokit(own, github.host, token)
  const scene: ForgeApiScene = {
    layer,
    key: { owner, url },
    comment: 77,
    repository,
    head,
    fail: (method, status) => github.fail(`${method} /repos/acme/app/pulls`, { _tag: "Status", status }),
    revoke: () => github.state.revoke(token)
  }
  return { ...scene, layer, github }
})

const atGitea = Effect.gen(function* () {
  const forge = yield* gitea
  const token = forge.state.addToken("ann")
  const repository = forge.state.addRepository("acme/app", { ann: "write" })
  yield* makeBare(repository.path)
  yield* commitFiles(repository.path, files)
  for (const branch of ["errand/one", "errand/two"]) yield* gitText(repository.path, ["branch", branch, "main"])
  const head = yield* furnish(repository)
  const scene: ForgeApiScene = {
    layer: octokit({ forges: [{ kind: "gitea", url: forge.url }] }, forge.host, token),
    key: { owner, url: `${forge.url}/acme/app.git` },
    comment: 77,
    repository,
    head,
    fail: (method, status) => forge.fail(`${method} pulls`, status),
    revoke: () => forge.state.revoke(token)
  }
  return scene
})

forgeContract(
  "ForgeMemory",
  Effect.succeed({ layer: ForgeMemory.layer, key: { owner, url: "https://x.example/a/b" }, comment: 1 })
)
forgeContract("ForgeOctokit at GitHub", atGitHub)
forgeContract("ForgeOctokit at a Gitea", atGitea)
forgeApiContract("ForgeOctokit at GitHub", atGitHub)
forgeApiContract("ForgeOctokit at a Gitea", atGitea)

/** Answers that never arrive as they should; the request may have had its effect. */
const broken: ReadonlyArray<GitHubFault> = [
  { _tag: "Page", status: 200 },
  { _tag: "Page", status: 503 },
  { _tag: "Cut", afterBytes: 1 }
]

const asked = { branch: "errand/one", base: "main", title: "T", body: "B", draft: true } as const

describe("ForgeOctokit at a GitHub in trouble", () => {
  it.scopedLive("takes nothing for an answer but one of GitHub's", () =>
    Effect.gen(function* () {
      const { github, key, layer } = yield* atGitHub
      yield* Effect.gen(function* () {
        const forge = yield* Forge
        for (const fault of broken) {
          github.fail("GET /repos/acme/app/pulls", fault)
          expect(yield* Effect.flip(forge.find(key, asked.branch))).toMatchObject({
            reason: "unavailable",
            retryable: true
          })
        }
      }).pipe(Effect.provide(layer))
    })
  )

  // Taken out: `redirect: "manual"`. Then this failed.
  it.scopedLive("goes nowhere else", () =>
    Effect.gen(function* () {
      const { github, key, layer } = yield* atGitHub
      const elsewhere = yield* gitHub()
      github.fail("GET", { _tag: "Moved", location: `${elsewhere.apiUrl}/user` })
      const failure = yield* Effect.flip(Effect.flatMap(Forge, (forge) => forge.find(key, asked.branch))).pipe(
        Effect.provide(layer)
      )
      expect(failure).toMatchObject({ reason: "refused", retryable: false })
      expect(failure.detail).toContain("moved")
      expect(elsewhere.calls()).toEqual([])
    })
  )

  it.scopedLive("waits as long as it is told", () =>
    Effect.gen(function* () {
      const { github, key, layer } = yield* atGitHub
      yield* Effect.gen(function* () {
        const find = Effect.flatMap(Forge, (forge) => Effect.flip(forge.find(key, asked.branch)))
        github.fail("GET", { _tag: "SecondaryLimit", retryAfter: 7 })
        expect(yield* find).toMatchObject({ reason: "rate_limited", waitMs: 7_000 })
        github.fail("GET", { _tag: "RateLimit", resetsIn: 600 })
        const { waitMs } = yield* find
        expect(waitMs).toBeGreaterThan(590_000)
        expect(waitMs).toBeLessThanOrEqual(600_000)
      }).pipe(Effect.provide(layer))
    })
  )

  it.scopedLive("opens one pull request when the answer to the first request was lost", () =>
    Effect.gen(function* () {
      for (const fault of [{ _tag: "LostAnswer" }, { _tag: "Cut", afterBytes: 30 }] as const) {
        const { github, key, layer, repository } = yield* atGitHub
        github.fail("POST /repos/acme/app/pulls", fault)
        const opened = yield* Effect.provide(
          Effect.flatMap(Forge, (forge) => forge.open(key, asked)),
          layer
        )
        expect(opened.number).toBe(1)
        expect(repository.pulls).toHaveLength(1)
        expect(github.calls().filter(({ method }) => method === "POST")).toHaveLength(1)
      }
    })
  )

  it.scopedLive("asks again without a draft where there are none", () =>
    Effect.gen(function* () {
      const { key, layer, repository } = yield* atGitHub
      repository.draftsAllowed = false
      const opened = yield* Effect.provide(
        Effect.flatMap(Forge, (forge) => forge.open(key, asked)),
        layer
      )
      expect(opened.draft).toBe(false)
    })
  )

  it.scopedLive("uses the owner's sign-in before what is stored, and renews it once when it is refused", () =>
    Effect.gen(function* () {
      const { github, key, layer } = yield* atGitHub
      const signIn = github.state.addToken("ann", "gho_sign_in")
      yield* Effect.gen(function* () {
        const forge = yield* Forge
        const tokens = yield* ForgeTokens
        const grant = { token: Redacted.make(signIn), expiresAt: null, refreshToken: null }
        yield* tokens.put(owner, github.host, grant)
        yield* forge.find(key, asked.branch)
        expect(github.calls().at(-1)?.authorization).toBe(`token ${signIn}`)
        github.state.revoke(signIn)
        // This ForgeTokens can renew nothing: what the owner stored is left.
        expect(yield* forge.find(key, asked.branch)).toEqual(Option.none())
        expect(github.calls().at(-1)?.authorization).not.toBe(`token ${signIn}`)
        expect(Option.getOrThrow(yield* tokens.find(owner, github.host)).status).toBe("lost")
      }).pipe(Effect.provide(layer))
    })
  )
})
