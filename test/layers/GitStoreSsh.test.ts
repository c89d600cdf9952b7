import { expect, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Schedule } from "effect"
import { execFileSync } from "node:child_process"
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe } from "vitest"
import { DataDir } from "../../src/layers/DataDirLock.ts"
import { GitStore } from "../../src/services/GitStore.ts"
import { CommitId } from "../../src/services/Ids.ts"
import { commitFiles, gitText, makeBare } from "../support/gitRepository.ts"
import { gitStoreLayer, type GitStoreOptions } from "../support/gitStore.ts"
import { at, defaultBranch, work } from "../support/servedStore.ts"

const inPath = (program: string) =>
  (process.env["PATH"] ?? "").split(":").some((folder) => existsSync(join(folder, program)))
const missing = ["ssh-agent", "ssh-add", "ssh-keygen"].filter((program) => !inPath(program)).join(", ")
const describeWithSsh = describe.skipIf(missing !== "")

/**
 * Stands for `ssh`: writes down what it was told and which keys its agent holds, and lets in who has one, as a server
 * does; then it runs the command, with the folder of this test as the root of the server.
 */
const fakeSsh = (folder: string) => `#!/bin/sh
ssh-add -L >"${folder}/keys" 2>&1 || { echo 'git@host: Permission denied (publickey).' >&2; exit 255; }
printf '%s\\n' "$@" >"${folder}/arguments"
env >"${folder}/environment"
for command; do :; done
cd "${folder}" && exec sh -c "$(printf %s "$command" | sed "s|'/|'|")"
`

const sshKey = (value: string) => ({ "git.example.com": { kind: "ssh_key" as const, value } })

const isAgent = (pid: number) => {
  try {
    return /^\d+ \(ssh-agent\) [^Z]/.test(readFileSync(`/proc/${pid}/stat`, "utf8"))
  } catch {
    return false
  }
}

const sshScene = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "errand-ssh-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const read = (name: string) => readFileSync(join(folder, name), "utf8")
  const path = join(folder, "team/app.git")
  yield* makeBare(path)
  const commit = yield* commitFiles(path, { "a.txt": "one\n" })
  yield* Effect.sync(() => {
    writeFileSync(join(folder, "ssh"), fakeSsh(folder))
    chmodSync(join(folder, "ssh"), 0o755)
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", join(folder, "key")])
  })
  const store = (options: GitStoreOptions) =>
    gitStoreLayer(options).pipe(
      Layer.provide(
        Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["PATH", `${folder}:${process.env["PATH"] ?? ""}`]])))
      )
    )
  return { folder, read, path, commit, store }
})

describeWithSsh(missing === "" ? "ssh" : `ssh (not installed: ${missing})`, () => {
  it.scopedLive("signs in with the stored key, which is never in a file", () =>
    Effect.gen(function* () {
      const { commit, folder, path, read, store } = yield* sshScene
      const key = read("key")
      rmSync(join(folder, "key"))
      const layer = store({
        credentials: { "git.example.com": { kind: "ssh_key", value: key.trimEnd() } },
        resolve: () => Effect.succeed(["93.184.216.34"])
      })
      yield* Effect.gen(function* () {
        const git = yield* GitStore
        const url = "git@git.example.com:team/app.git"
        expect(yield* git.fetch(at(url), defaultBranch)).toEqual({ ref: "main", commit })
        const made = yield* work(git, url, CommitId.make(commit))
        yield* git.push(at(url), { branch: "errand/x", commit: made, expected: null })
        expect(yield* gitText(path, ["rev-parse", "errand/x"])).toBe(made)
        expect(read("keys").split(" ")[1]).toBe(read("key.pub").trim().split(" ")[1])
        const { path: dataDir } = yield* DataDir
        const told = read("arguments").split("\n")
        for (const option of [
          "BatchMode=yes",
          "StrictHostKeyChecking=accept-new",
          `UserKnownHostsFile="${dataDir}/known_hosts"`,
          "HostName=93.184.216.34",
          "HostKeyAlias=git.example.com"
        ]) {
          expect(told).toContain(option)
        }
        expect(told.slice(0, 2)).toEqual(["-F", "/dev/null"])
        const secret = key.split("\n")[1] ?? ""
        expect(secret.length).toBeGreaterThan(20)
        expect(read("arguments") + read("environment")).not.toContain(secret)
        expect(read("environment")).not.toContain("VITEST")
        const agent = Number(/^SSH_AGENT_PID=(\d+)$/m.exec(read("environment"))?.[1])
        yield* Effect.retry(
          Effect.filterOrFail(
            Effect.sync(() => isAgent(agent)),
            (alive) => !alive
          ),
          { times: 40, schedule: Schedule.spaced("50 millis") }
        )
      }).pipe(Effect.provide(layer))
    })
  )

  it.scopedLive("needs a key that is one", () =>
    Effect.gen(function* () {
      const { store } = yield* sshScene
      const token = { "git.example.com": { kind: "token" as const, value: "t" } }
      for (const credentials of [sshKey("no key"), sshKey(""), token, {}]) {
        const layer = store({ credentials, resolve: () => Effect.succeed(["93.184.216.34"]) })
        const fetching = Effect.flatMap(GitStore, (git) =>
          git.fetch(at("ssh://git@git.example.com/a.git"), defaultBranch)
        )
        const failure = yield* Effect.flip(Effect.provide(fetching, layer))
        expect(failure).toMatchObject({ reason: "auth", retryable: false })
        expect(failure.message).toContain("PUT /git-credentials/git.example.com")
      }
    })
  )
})
