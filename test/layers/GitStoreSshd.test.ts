/** Clone and push over SSH, to a real sshd of this user on loopback, with a deploy key. */
import { expect, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { execFileSync, spawn } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { describe } from "vitest"
import { DataDir } from "../../src/layers/DataDirLock.ts"
import { GitStore } from "../../src/services/GitStore.ts"
import { commitFiles, gitText, makeBare } from "../support/gitRepository.ts"
import { gitStoreLayer } from "../support/gitStore.ts"
import { at, defaultBranch, work } from "../support/servedStore.ts"

const sshd = "/usr/sbin/sshd"
const missing = existsSync(sshd) ? "" : "openssh-server"

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

const answers = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true))
    socket.on("error", () => resolve(false))
    socket.on("connect", () => socket.destroy())
  })

const makeKey = (path: string) =>
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path], { stdio: "ignore" })

/** A server in a folder of its own: `host` is its key, `deploy` the one that it lets in. */
const server: Effect.Effect<
  {
    readonly port: number
    readonly path: string
    readonly read: (name: string) => string
    readonly start: Effect.Effect<void, never, Scope.Scope>
    readonly changeHostKey: Effect.Effect<void>
    readonly log: () => string
  },
  never,
  Scope.Scope
> = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "errand-sshd-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const port = yield* Effect.promise(freePort)
  const path = join(folder, "team/app.git")
  yield* makeBare(path)
  makeKey(join(folder, "host"))
  makeKey(join(folder, "deploy"))
  // Sshd as root wants this place for itself.
  if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true })
  const settings = [
    `ListenAddress 127.0.0.1:${port}`,
    `HostKey ${folder}/host`,
    `AuthorizedKeysFile ${folder}/deploy.pub`,
    "PidFile none",
    "StrictModes no",
    "UsePAM no",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "PermitRootLogin prohibit-password"
  ]
  writeFileSync(join(folder, "sshd_config"), `${settings.join("\n")}\n`)
  let log = ""
  const start = Effect.acquireRelease(
    Effect.promise(async () => {
      const child = spawn(sshd, ["-D", "-e", "-f", join(folder, "sshd_config")], {
        stdio: ["ignore", "ignore", "pipe"]
      })
      child.stderr.on("data", (chunk: Buffer) => (log += chunk.toString()))
      while (child.exitCode === null && !(await answers(port))) await sleep(20)
      return child
    }),
    (child) =>
      Effect.promise(
        () =>
          new Promise<void>((resolve) => {
            child.once("exit", () => resolve())
            if (child.exitCode !== null || !child.kill("SIGTERM")) resolve()
          })
      )
  ).pipe(Effect.asVoid)
  return {
    port,
    path,
    read: (name) => readFileSync(join(folder, name), "utf8"),
    start,
    changeHostKey: Effect.sync(() => {
      makeKey(join(folder, "other"))
      renameSync(join(folder, "other"), join(folder, "host"))
    }),
    log: () => log
  }
})

describe.skipIf(missing !== "" && process.env["CI"] !== "true")(
  missing === "" ? "a real SSH server" : `a real SSH server (${missing} is not installed)`,
  () => {
    it.scopedLive("is cloned from and pushed to with a deploy key, and has to stay the one that it was", () =>
      Effect.gen(function* () {
        const ssh = yield* server
        const commit = yield* commitFiles(ssh.path, { "a.txt": "one\n" })
        const host = `127.0.0.1:${ssh.port}`
        const url = `ssh://${host}${ssh.path}`
        const layer = gitStoreLayer({
          trustedHosts: [host],
          credentials: { [host]: { kind: "ssh_key", value: ssh.read("deploy") } }
        })
        yield* Effect.gen(function* () {
          const git = yield* GitStore
          const { path: dataDir } = yield* DataDir
          const made = yield* Effect.scoped(
            Effect.gen(function* () {
              yield* ssh.start
              expect(yield* git.fetch(at(url), defaultBranch), ssh.log()).toEqual({ ref: "main", commit })
              // Pinned on first use.
              const known = readFileSync(join(dataDir, "known_hosts"), "utf8")
              expect(known).toContain(ssh.read("host.pub").split(" ")[1])
              const made = yield* work(git, url, commit)
              yield* git.push(at(url), { branch: "errand/x", commit: made, expected: null })
              expect(yield* gitText(ssh.path, ["rev-parse", "errand/x"])).toBe(made)
              return made
            })
          )
          yield* ssh.changeHostKey
          yield* ssh.start
          // Taken out: StrictHostKeyChecking. The push was taken by what had come to the place of the server.
          const next = yield* work(git, url, made, made, "more")
          const push = git.push(at(url), { branch: "errand/x", commit: next, expected: made })
          expect(yield* Effect.flip(push)).toMatchObject({ reason: "refused", retryable: false })
          expect(yield* gitText(ssh.path, ["rev-parse", "errand/x"])).toBe(made)
        }).pipe(Effect.provide(layer))
      })
    )

    it.scopedLive("lets nobody in with another key", () =>
      Effect.gen(function* () {
        const ssh = yield* server
        yield* ssh.start
        const host = `127.0.0.1:${ssh.port}`
        const layer = gitStoreLayer({
          trustedHosts: [host],
          credentials: { [host]: { kind: "ssh_key", value: ssh.read("host") } }
        })
        const fetching = Effect.flatMap(GitStore, (git) => git.fetch(at(`ssh://${host}${ssh.path}`), defaultBranch))
        const failure = yield* Effect.flip(Effect.provide(fetching, layer))
        expect(failure).toMatchObject({ reason: "auth", retryable: false })
      })
    )
  }
)
