/** `errand backup` and `errand restore`, on data directories that nobody serves. */
import { FileSystem } from "@effect/platform"
import { layer } from "@effect/vitest"
import { ConfigProvider, Effect } from "effect"
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { join } from "node:path"
import { expect } from "vitest"
import * as Sqlite from "../../src/layers/Sqlite.ts"
import { connectTo, executeIn } from "../support/otherConnection.ts"
import { shell } from "./shell.ts"
import { world } from "./world.ts"

const on = (dataDir: string, ...words: ReadonlyArray<string>) =>
  Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["ERRAND_DATA_DIR", dataDir]])))(shell(words.join(" ")))

const directory = Effect.flatMap(FileSystem.FileSystem, (files) => files.makeTempDirectoryScoped({ prefix: "errand-" }))

/** Variables of this process as long as the test lasts. */
const withEnvironment = (variables: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const before = { ...process.env }
      Object.assign(process.env, variables)
      return before
    }),
    (before) =>
      Effect.sync(() => {
        for (const name of Object.keys(variables)) delete process.env[name]
        Object.assign(process.env, before)
      })
  )

/** Two sessions and a token, of which the second session has ended; what a session needs, and a ticket. */
const signedIn = (file: string) =>
  Effect.forEach(
    [
      "INSERT INTO users (id, login, role, created_at) VALUES ('u', 'ada', 'owner', '2026')",
      `INSERT INTO devices (id, user_id, name, kind, scopes, created_at, revoked_at) VALUES
        ('phone', 'u', 'phone', 'session', '[]', '2026', NULL), ('lost', 'u', 'lost', 'session', '[]', '2026', '2025'),
        ('script', 'u', 'script', 'token', '[]', '2026', NULL)`,
      "INSERT INTO refresh_tokens (hash, device_id, created_at) VALUES ('h', 'phone', '2026')",
      "INSERT INTO signing_keys (id, sealed, created_at) VALUES ('k', x'00', '2026')",
      "INSERT INTO tickets (kind, name, sealed, expires_at) VALUES ('pair', 'n', x'00', '2026')"
    ],
    (statement) => executeIn(file, statement)
  )

const git = (repository: string, ...args: ReadonlyArray<string>) =>
  execFileSync("git", ["--git-dir", repository, ...args], {
    encoding: "utf8",
    env: {
      PATH: process.env["PATH"],
      GIT_AUTHOR_NAME: "a",
      GIT_AUTHOR_EMAIL: "a@b",
      GIT_COMMITTER_NAME: "a",
      GIT_COMMITTER_EMAIL: "a@b"
    }
  }).trim()

/** A data directory with a database of ten events and a repository of one commit under a private ref. */
const filled = Effect.gen(function* () {
  const dataDir = yield* directory
  const file = Sqlite.fileIn(dataDir)
  yield* Effect.provide(Effect.void, Sqlite.layerFile(file))
  yield* executeIn(file, "INSERT INTO streams (name, head) VALUES ('task:t', 10)")
  yield* executeIn(
    file,
    `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 10)
     INSERT INTO events (stream, seq, task_id, at, type, body)
     SELECT 'task:t', n, 't', '2026-01-01T00:00:00.000Z', 'message.added', '{}' FROM numbers`
  )
  const repository = join(dataDir, "repositories", `${createHash("sha256").update("x").digest("hex")}.git`)
  execFileSync("git", ["init", "--bare", "--quiet", "--initial-branch=none", repository])
  const commit = git(
    repository,
    "commit-tree",
    "-m",
    "kept",
    git(repository, "hash-object", "-wt", "tree", "/dev/null")
  )
  git(repository, "update-ref", "refs/errand/task/1", commit)
  execFileSync("git", ["init", "--bare", "--quiet", join(dataDir, "repositories", "empty.git")])
  return { dataDir, file, repository, commit }
})

const first = <A>(file: string, query: string) =>
  Effect.scoped(Effect.flatMap(connectTo(file), (sql) => sql.unsafe<{ value: A }>(query))).pipe(
    Effect.map(([row]) => row?.value)
  )

const epochOf = (file: string) => first<string>(file, "SELECT value FROM meta WHERE key = 'epoch'")
const eventsIn = (file: string) => first<number>(file, "SELECT count(*) AS value FROM events")

/** The path of a backup of it. */
const backUp = (dataDir: string, ...options: ReadonlyArray<string>) =>
  Effect.map(on(dataDir, "backup", "--json", ...options), ({ code, complaints, output }) => {
    expect({ code, complaints }).toEqual({ code: 0, complaints: "" })
    return String(JSON.parse(output).path)
  })

layer(world, { excludeTestServices: true })("errand backup and restore", (it) => {
  it.scoped("bring everything back to an empty directory, under a new epoch", () =>
    Effect.gen(function* () {
      const { commit, dataDir, file, repository } = yield* filled
      const backup = yield* backUp(dataDir)
      const elsewhere = yield* directory
      const restored = yield* on(elsewhere, "restore", backup)
      expect({ code: restored.code, output: restored.output }).toEqual({
        code: 0,
        output: `✓ ${elsewhere} is restored, up to 2026-01-01T00:00:00.000Z\n`
      })
      expect(restored.complaints).toContain("revoked after the backup are good again")
      const copy = Sqlite.fileIn(elsewhere)
      expect(yield* eventsIn(copy)).toBe(10)
      expect(yield* epochOf(copy)).toMatch(/^[0-9a-f]{32}$/)
      expect(yield* epochOf(copy)).not.toBe(yield* epochOf(file))
      expect(git(repository.replace(dataDir, elsewhere), "rev-parse", "refs/errand/task/1")).toBe(commit)
      git(repository.replace(dataDir, elsewhere), "fsck", "--strict")
    })
  )

  // Each statement of the restore that is taken out leaves one of them.
  it.scoped("end every session, and no token", () =>
    Effect.gen(function* () {
      const { dataDir, file } = yield* filled
      yield* signedIn(file)
      const backup = yield* backUp(dataDir)
      const elsewhere = yield* directory
      expect((yield* on(elsewhere, "restore", backup)).code).toBe(0)
      const copy = Sqlite.fileIn(elsewhere)
      const left =
        "SELECT group_concat(id || ' ' || (revoked_at > '2026-01')) AS value FROM (SELECT * FROM devices ORDER BY id)"
      expect(yield* first(copy, left)).toBe("lost 0,phone 1")
      for (const table of ["refresh_tokens", "signing_keys", "tickets"]) {
        expect(yield* first(copy, `SELECT count(*) AS value FROM ${table}`)).toBe(0)
      }
    })
  )

  it.scoped("put aside what was there, and only when told to", () =>
    Effect.gen(function* () {
      const { dataDir, file } = yield* filled
      const backup = yield* backUp(dataDir, "--database-only")
      yield* executeIn(file, "DELETE FROM events")
      const refused = yield* on(dataDir, "restore", backup)
      expect(refused).toMatchObject({ code: 1, complaints: expect.stringContaining("--replace") })
      expect(yield* eventsIn(file)).toBe(0)
      const { output } = yield* on(dataDir, "restore", "--replace", "--json", backup)
      expect(yield* eventsIn(file)).toBe(10)
      expect(yield* eventsIn(JSON.parse(output).replaced)).toBe(0)
    })
  )

  it.scoped("leave nothing to other users of the machine", () =>
    Effect.gen(function* () {
      const { dataDir } = yield* filled
      const files = yield* FileSystem.FileSystem
      const backup = yield* backUp(dataDir)
      for (const name of ["errand.db", "manifest.json"]) {
        expect((yield* files.stat(join(backup, name))).mode & 0o077).toBe(0)
      }
      expect((yield* files.stat(backup)).mode & 0o077).toBe(0)
      expect(yield* files.readDirectory(backup)).not.toContain("secret.key")
    })
  )

  // Without the digests of the manifest the second and third of them are restored.
  it.scoped("refuse what is damaged, unfinished, of a later version or none at all, and change nothing", () =>
    Effect.gen(function* () {
      const { dataDir, file } = yield* filled
      const files = yield* FileSystem.FileSystem
      const refusal = Effect.fnUntraced(function* (source: string) {
        const epoch = yield* epochOf(file)
        const { code, complaints } = yield* on(dataDir, "restore", "--replace", source)
        expect({ code, epoch: yield* epochOf(file) }).toEqual({ code: 1, epoch })
        return complaints
      })
      expect(yield* refusal("/nowhere/at/all")).toContain("it is not there")

      const changed = yield* backUp(dataDir, "--to", yield* directory)
      yield* executeIn(join(changed, "errand.db"), "DELETE FROM events")
      expect(yield* refusal(changed)).toContain("errand.db is not what was written")

      const without = yield* backUp(dataDir, "--to", yield* directory)
      const [bundle = ""] = yield* files.readDirectory(join(without, "repositories"))
      yield* files.remove(join(without, "repositories", bundle))
      expect(yield* refusal(without)).toContain(`${bundle} is missing`)
      yield* files.remove(join(without, "manifest.json"))
      expect(yield* refusal(without)).toContain("never finished")

      const single = join(yield* directory, "some.db")
      yield* files.copyFile(file, single)
      yield* executeIn(single, "DELETE FROM events WHERE seq = 5")
      expect(yield* refusal(single)).toContain("events of task:t are missing")
      yield* executeIn(single, "INSERT INTO effect_sql_migrations (migration_id, name) VALUES (999, 'later')")
      expect(yield* refusal(single)).toContain("it has schema 999")
      yield* files.writeFileString(single, "no database, but long enough to look like one".repeat(200))
      expect(yield* refusal(single)).toContain("file is not a database")
      const pages = yield* files.readFile(file)
      pages.fill(7, 8192, 40_960)
      yield* files.writeFile(single, pages)
      expect(yield* refusal(single)).toContain("can't be restored")
    })
  )

  it.scoped("prove that a backup is good, and tell how far it is behind", () =>
    Effect.gen(function* () {
      const { dataDir, file } = yield* filled
      const files = yield* FileSystem.FileSystem
      const backup = yield* backUp(dataDir)
      const epoch = yield* epochOf(file)
      const proof = (yield* on(dataDir, "restore", "--prove", "--json", backup)).output
      expect(JSON.parse(proof)).toMatchObject({ lagSeconds: 0, newestEventAt: "2026-01-01T00:00:00.000Z" })
      expect(yield* files.readFileString(join(dataDir, "restore-proof.json"))).toBe(proof)

      const at = new Date(Date.now() - 60_000).toISOString()
      yield* executeIn(file, `INSERT INTO events VALUES ('task:t', 11, 't', '${at}', 'message.added', '{}')`)
      const later = JSON.parse((yield* on(dataDir, "restore", "--prove", "--json", backup)).output)
      expect(later.lagSeconds).toBeGreaterThanOrEqual(60)
      expect(yield* epochOf(file)).toBe(epoch)
      expect(yield* files.readDirectory(dataDir)).not.toContain("proof")

      const before = yield* files.readFileString(join(dataDir, "restore-proof.json"))
      expect((yield* on(dataDir, "restore", "--prove", "/nowhere")).code).toBe(1)
      expect(yield* files.readFileString(join(dataDir, "restore-proof.json"))).toBe(before)
    })
  )

  // Seen to fail with the platform's way to start programs, which hands on everything: the key was there.
  it.scoped("hand to Litestream what reaches a replica, and no key of the server", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const programs = yield* directory
      const seen = join(programs, "seen")
      yield* files.writeFileString(
        join(programs, "litestream"),
        `#!/bin/sh\nenv > '${seen}'\necho no replica >&2; exit 3\n`
      )
      yield* files.chmod(join(programs, "litestream"), 0o755)
      yield* withEnvironment({
        PATH: `${programs}:${process.env["PATH"]}`,
        AWS_ACCESS_KEY_ID: "of-the-bucket",
        ERRAND_BACKUP_BUCKET: "the-bucket",
        ANTHROPIC_API_KEY: "of-the-model",
        ERRAND_SECRET_KEY: "a key of more than thirty-two characters"
      })
      const { code, complaints } = yield* on(yield* directory, "restore", "s3://bucket/errand")
      expect({ code, complaints }).toEqual({ code: 1, complaints: expect.stringContaining("(no replica)") })
      const names = (yield* files.readFileString(seen)).split("\n").map((line) => line.replace(/=.*/, ""))
      expect(names).toEqual(expect.arrayContaining(["PATH", "AWS_ACCESS_KEY_ID", "ERRAND_BACKUP_BUCKET"]))
      expect(names.filter((name) => /^(?:ANTHROPIC|ERRAND_SECRET|npm)_/.test(name))).toEqual([])
    })
  )

  it.scoped("say what is missing for a replica", () =>
    Effect.gen(function* () {
      yield* withEnvironment({ PATH: "/nonexistent" })
      const { code, complaints } = yield* on(yield* directory, "restore", "s3://bucket/errand")
      expect({ code, complaints }).toEqual({ code: 1, complaints: expect.stringContaining("litestream.io") })
    })
  )
})
