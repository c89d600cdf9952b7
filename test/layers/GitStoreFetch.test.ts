import { expect, it } from "@effect/vitest"
import { Effect, Fiber, type Option, Schedule } from "effect"
import { execFile } from "node:child_process"
import { randomBytes } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { DataDir } from "../../src/layers/DataDirLock.ts"
import { GitStore } from "../../src/services/GitStore.ts"
import { CommitId } from "../../src/services/Ids.ts"
import { commitFiles, git, gitText } from "../support/gitRepository.ts"
import { describeWithGitServer, gitServer } from "../support/gitServer.ts"
import { gitStoreLayer } from "../support/gitStore.ts"
import { at, defaultBranch, named, served, work } from "../support/servedStore.ts"

/** Git as another process while this one serves it. */
const gitChild = (args: ReadonlyArray<string>) =>
  Effect.async<string>((resume) => {
    execFile("git", args, { timeout: 10_000 }, (error, stdout) =>
      resume(error ? Effect.die(error) : Effect.succeed(stdout))
    )
  })

/** Arguments and environment of every process that has `word` among its arguments. */
const processesWith = (word: string) =>
  Effect.filterOrFail(
    Effect.sync(() =>
      readdirSync("/proc").flatMap((id) => {
        try {
          const read = (name: string) => readFileSync(`/proc/${id}/${name}`, "latin1").replaceAll("\0", " ")
          const args = read("cmdline")
          return args.includes(word) ? [`${args} ${read("environ")}`] : []
        } catch {
          return []
        }
      })
    ),
    (found) => found.length > 0,
    () => "none" as const
  )

describeWithGitServer("fetch", () => {
  it.scopedLive(
    "finds the default branch, branches, tags and commits",
    served((server, store) =>
      Effect.gen(function* () {
        const { commit, path, url } = yield* server.create("team/app", { "a.txt": "one\n" })
        const side = yield* commitFiles(path, { "b.txt": "b\n" }, { branch: "feature/ü" })
        yield* git(path, ["tag", "v1", side])
        yield* git(path, ["-c", "user.name=a", "-c", "user.email=a", "tag", "-a", "-m", "two", "v2", side])
        yield* git(path, ["branch", "v1", String(commit)])
        const fetch = (ref: Option.Option<string>) => store.fetch(at(url), ref)
        expect(yield* fetch(defaultBranch)).toEqual({ ref: "main", commit })
        expect(yield* fetch(named("feature/ü"))).toEqual({ ref: "feature/ü", commit: side })
        expect(yield* fetch(named("v2"))).toEqual({ ref: "v2", commit: side })
        expect(yield* fetch(named("v1"))).toEqual({ ref: "v1", commit })
        expect(yield* fetch(named("refs/tags/v1"))).toEqual({ ref: "refs/tags/v1", commit: side })
        expect(yield* fetch(named(side))).toEqual({ ref: side, commit: side })
        expect(yield* store.hasCommit(at(url), side)).toBe(true)
      })
    )
  )

  it.scopedLive(
    "brings what was asked for and nothing else, and nothing twice",
    served((server, store) =>
      Effect.gen(function* () {
        const { path, url } = yield* server.create("app", { "a.txt": "one\n" })
        const secret = yield* commitFiles(path, { "s.txt": "s\n" }, { branch: "secret" })
        yield* store.fetch(at(url), defaultBranch)
        expect(yield* store.hasCommit(at(url), secret)).toBe(false)
        const before = (yield* server.requests).length
        yield* store.fetch(at(url), defaultBranch)
        const again = (yield* server.requests).slice(before)
        expect(again.filter(({ url }) => url.endsWith("/git-upload-pack"))).toHaveLength(1)
        const next = yield* commitFiles(path, { "a.txt": "two\n" })
        expect(yield* store.fetch(at(url), defaultBranch)).toEqual({ ref: "main", commit: next })
      })
    )
  )

  // Seen to fail with `main` for every empty repository, with its own branch in place of the one asked for, and with an
  // empty repository taken for one without that branch.
  it.scopedLive(
    "knows where an empty repository begins",
    served((server, store) =>
      Effect.gen(function* () {
        const { path, url } = yield* server.create("empty")
        expect(yield* store.fetch(at(url), defaultBranch)).toEqual({ ref: "main", commit: null })
        yield* git(path, ["symbolic-ref", "HEAD", "refs/heads/trunk/ü"])
        expect(yield* store.fetch(at(url), defaultBranch)).toEqual({ ref: "trunk/ü", commit: null })
        expect(yield* store.fetch(at(url), named("dev"))).toEqual({ ref: "dev", commit: null })
      })
    )
  )

  // Seen to fail with a HEAD that has to name a branch, with one that need not exist, and without the names in the refusal.
  it.scopedLive(
    "follows a detached HEAD, and asks for a branch when HEAD names none",
    served((server, store) =>
      Effect.gen(function* () {
        const { commit, path, url } = yield* server.create("app", { "a.txt": "one\n" })
        yield* git(path, ["update-ref", "--no-deref", "HEAD", String(commit)])
        expect(yield* store.fetch(at(url), defaultBranch)).toEqual({ ref: "HEAD", commit })
        yield* git(path, ["symbolic-ref", "HEAD", "refs/heads/gone"])
        const failure = yield* Effect.flip(store.fetch(at(url), defaultBranch))
        expect(failure).toMatchObject({ reason: "ref_not_found", retryable: false })
        expect(failure.detail).toContain("main")
      })
    )
  )

  it.scopedLive(
    "takes a branch that stands where another one was",
    served((server, store) =>
      Effect.gen(function* () {
        const { commit, path, url } = yield* server.create("app", { "a.txt": "one\n" })
        yield* git(path, ["branch", "a", "main"])
        yield* store.fetch(at(url), named("a"))
        yield* git(path, ["branch", "-D", "a"])
        yield* git(path, ["branch", "a/b", "main"])
        expect(yield* store.fetch(at(url), named("a/b"))).toEqual({ ref: "a/b", commit })
      })
    )
  )

  it.scopedLive(
    "refuses what is no ref, before git sees it",
    served((server, store) =>
      Effect.gen(function* () {
        const { path, url } = yield* server.create("app", { "a.txt": "one\n" })
        yield* git(path, ["update-ref", "refs/heads/blob", yield* gitText(path, ["rev-parse", "main:a.txt"])]).pipe(
          Effect.catchAllDefect(() => Effect.void)
        )
        yield* git(path, ["tag", "blob", yield* gitText(path, ["rev-parse", "main:a.txt"])])
        const before = (yield* server.requests).length
        const strange = [
          "--upload-pack=touch /tmp/x",
          "-x",
          "",
          "a b",
          "a\nb",
          "a\u0000b",
          "a\u007fb",
          "a..b",
          "@{-1}",
          "@",
          "a^{tree}",
          "a:b",
          "*",
          "/a",
          "a/",
          "a//b",
          ".a",
          "a.lock",
          "a.lock/b",
          "a.",
          "a\\b",
          "x".repeat(300),
          "\ud800"
        ]
        for (const ref of strange) {
          const failure = yield* Effect.flip(store.fetch(at(url), named(ref)))
          expect([ref, failure.reason, failure.retryable]).toEqual([ref, "ref_not_found", false])
        }
        expect((yield* server.requests).length).toBe(before)
        const absent = ["nowhere", "0".repeat(40), "1".repeat(40), "a;$(touch${IFS}x)", "a\u3000b", "refs/heads/none"]
        for (const ref of [...absent, "blob"]) {
          const failure = yield* Effect.flip(store.fetch(at(url), named(ref)))
          expect([ref, failure.reason, failure.retryable]).toEqual([ref, "ref_not_found", false])
        }
      })
    )
  )

  it.scopedLive(
    "gives each failure its reason, and says whether to try again",
    served(
      (server, store) =>
        Effect.gen(function* () {
          const { commit, url } = yield* server.create("app", { "a.txt": "one\n" })
          const faults = [
            ["refs", { _tag: "Status", status: 403 }, "auth", false],
            ["refs", { _tag: "Status", status: 404 }, "not_found", false],
            ["refs", { _tag: "Status", status: 429 }, "network", true],
            ["refs", { _tag: "Status", status: 502 }, "network", true],
            ["refs", { _tag: "Page" }, "not_found", false, 100],
            ["refs", { _tag: "Redirect", location: "http://169.254.169.254" }, "refused", false],
            ["refs", { _tag: "Cut", afterBytes: 20 }, "network", true],
            ["refs", { _tag: "Silence" }, "timeout", true],
            ["fetch", { _tag: "Status", status: 500 }, "network", true],
            ["fetch", { _tag: "Cut", afterBytes: 100 }, "network", true]
          ] as const
          for (const [step, fault, reason, retryable, times] of faults) {
            yield* server.fail(step, fault, times)
            const failure = yield* Effect.flip(store.fetch(at(url), defaultBranch))
            expect([fault, failure.reason, failure.retryable]).toEqual([fault, reason, retryable])
            expect(failure.detail).toMatch(/^[^\n]{10,400}$/)
            yield* server.heal
          }
          const closed = yield* Effect.flip(store.fetch(at(server.url("nothing")), defaultBranch))
          expect(closed.reason).toBe("not_found")
          expect(yield* store.fetch(at(url), defaultBranch)).toEqual({ ref: "main", commit })
        }),
      () => ({ contactTime: "2 seconds" })
    )
  )

  // Seen to fail without the limit on files.
  it.scopedLive(
    "stops a fetch that is too large, and leaves nothing of it",
    served(
      (server, store) =>
        Effect.gen(function* () {
          const { url } = yield* server.create("app", { "a.bin": randomBytes(300_000) })
          const failure = yield* Effect.flip(store.fetch(at(url), defaultBranch))
          expect([failure.reason, failure.retryable]).toEqual(["too_large", false])
          const { path } = yield* DataDir
          const left = readdirSync(path, { recursive: true, encoding: "utf8" })
          expect(left.filter((name) => /tmp_|\.pack$|\.lock$/.test(name))).toEqual([])
        }),
      () => ({ fetchBytes: 100_000 })
    )
  )
})

describeWithGitServer("credentials", () => {
  const token = "ghp_thisIsSecret"
  const credentials = (host: string) => ({ credentials: { [host]: { kind: "token" as const, value: token } } })

  it.scopedLive(
    "go to their host when it asks for them",
    served(
      (server, store) =>
        Effect.gen(function* () {
          const { commit, url } = yield* server.create("app", { "a.txt": "one\n" })
          yield* server.requireSignIn("x-access-token", token)
          expect(yield* store.fetch(at(url), defaultBranch)).toEqual({ ref: "main", commit })
          const made = yield* work(store, url, CommitId.make(String(commit)))
          yield* store.push(at(url), { branch: "errand/x", commit: made, expected: null })
          const seen = yield* server.requests
          expect(seen.every(({ url }) => !url.includes(token))).toBe(true)
        }),
      credentials
    )
  )

  it.scopedLive(
    "may name their user",
    served(
      (server, store) =>
        Effect.gen(function* () {
          const { commit, url } = yield* server.create("app", { "a.txt": "one\n" })
          yield* server.requireSignIn("deploy", "s:e c r e t")
          expect((yield* store.fetch(at(url), defaultBranch)).commit).toBe(commit)
        }),
      (host) => ({ credentials: { [host]: { kind: "token", value: "deploy:s:e c r e t" } } })
    )
  )

  it.scopedLive(
    "stand nowhere but in the pipe to git",
    served(
      (server, store) =>
        Effect.gen(function* () {
          const { url } = yield* server.create("app", { "a.txt": "one\n" })
          yield* server.requireSignIn("x-access-token", `${token}-of-somebody-else`)
          const failure = yield* Effect.flip(store.fetch(at(url), defaultBranch))
          expect(failure).toMatchObject({ reason: "auth", retryable: false })
          expect(JSON.stringify(failure)).not.toContain(token)
          expect(failure.detail).toContain(`PUT /git-credentials/${server.host}`)
          yield* server.fail("refs", { _tag: "Silence" })
          const fetching = yield* Effect.fork(store.fetch(at(url), defaultBranch))
          const processes = yield* Effect.retry(processesWith(server.host), {
            times: 200,
            schedule: Schedule.spaced("10 millis")
          })
          expect(processes.join("\n")).toContain("ls-remote")
          expect(processes.join("\n")).not.toContain(token)
          yield* Fiber.interrupt(fetching)
          expect(yield* Effect.flip(processesWith(server.host))).toBe("none")
        }),
      credentials
    )
  )

  it.scopedLive(
    "of others are not used",
    served((server, store) =>
      Effect.gen(function* () {
        const { url } = yield* server.create("app", { "a.txt": "one\n" })
        yield* server.requireSignIn("x-access-token", token)
        const failure = yield* Effect.flip(store.fetch(at(url), defaultBranch))
        expect(failure.reason).toBe("auth")
      })
    )
  )
})

describeWithGitServer("addresses", () => {
  // Seen to fail with addresses taken as they come.
  it.scopedLive("of an untrusted host must all be public", () =>
    Effect.gen(function* () {
      const answers: Record<string, ReadonlyArray<string>> = {
        "loop.example.com": ["127.0.0.1"],
        "mixed.example.com": ["93.184.216.34", "10.0.0.5"],
        "metadata.example.com": ["169.254.169.254"],
        "mapped.example.com": ["::ffff:169.254.169.254"],
        "nothing.example.com": []
      }
      const layer = gitStoreLayer({ resolve: (name) => Effect.succeed(answers[name] ?? []) })
      yield* Effect.gen(function* () {
        const store = yield* GitStore
        for (const host of Object.keys(answers)) {
          for (const url of [`https://${host}/a/b.git`, `ssh://git@${host}/a/b.git`, `git@${host}:a/b.git`]) {
            const failure = yield* Effect.flip(store.fetch(at(url), defaultBranch))
            expect([url, failure.reason, failure.retryable]).toEqual([url, "refused", false])
            expect(failure.detail).toContain("not public")
          }
        }
        for (const url of [
          "file:///etc",
          "/etc",
          "ext::sh -c x",
          "http://example.com/a",
          "https://u:p@example.com/a"
        ]) {
          const failure = yield* Effect.flip(store.fetch(at(url), defaultBranch))
          expect([url, failure.reason]).toEqual([url, "refused"])
          expect(failure.detail).not.toContain("u:p")
        }
      }).pipe(Effect.provide(layer))
    })
  )

  it.scopedLive("that were checked are the ones that git connects to", () =>
    Effect.gen(function* () {
      const server = yield* gitServer
      const { commit } = yield* server.create("app", { "a.txt": "one\n" })
      const pinned = `http.curloptResolve=pinned.example.com:${server.port}:127.0.0.1`
      const url = `http://pinned.example.com:${server.port}/app.git`
      const listed = yield* gitChild(["-c", pinned, "ls-remote", url, "HEAD"])
      expect(listed).toBe(`${commit}\tHEAD\n`)
    })
  )
})
