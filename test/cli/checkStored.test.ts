/** What `errand doctor` finds of what is stored: each finding comes, with its remedy, and goes when that is done. */
import { layer } from "@effect/vitest"
import { ConfigProvider, Effect } from "effect"
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"
import type { Finding } from "../../src/cli/server/Finding.ts"
import { knownSchema } from "../../src/layers/Sqlite.ts"
import { executeIn } from "../support/otherConnection.ts"
import { shell } from "./shell.ts"
import { world } from "./world.ts"

/** A data directory with a database, and a place for backups beside it. */
const installation = Effect.gen(function* () {
  const place = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "errand-stored-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const dataDir = join(place, "data")
  const settings = { ERRAND_DATA_DIR: dataDir, ERRAND_SANDBOX: "process", ERRAND_ALLOW_UNSANDBOXED: "true" }
  const run = (words: string, more: Readonly<Record<string, string>> = {}) =>
    shell(words).pipe(
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries({ ...settings, ...more }))))
    )
  const find = (check: string, more?: Readonly<Record<string, string>>) =>
    Effect.map(run("doctor --json", more), ({ output }): Finding | undefined =>
      output
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Finding)
        .find((finding) => finding.check === check)
    )
  expect((yield* run("token create --login ada")).code).toBe(0)
  return { dataDir, target: join(place, "backups"), run, find }
})

/** Three days older than it is. */
const age = (file: string, name: string) => {
  const kept = JSON.parse(readFileSync(file, "utf8"))
  writeFileSync(file, JSON.stringify({ ...kept, [name]: new Date(Date.now() - 3 * 86_400_000).toISOString() }))
}

const remedied = (status: Finding["status"], detail: string, remedy: string) => ({
  status,
  detail: expect.stringContaining(detail),
  remedy: expect.stringContaining(remedy)
})

layer(world, { excludeTestServices: true })("errand doctor", (it) => {
  it.scoped("asks for a backup, elsewhere, every day", () =>
    Effect.gen(function* () {
      const { dataDir, find, run, target } = yield* installation
      expect(yield* find("backup")).toMatchObject(remedied("warning", "none has been made", "errand backup --to"))
      expect(yield* find("backup", { ERRAND_ACCEPTED_FINDINGS: "backups" })).toMatchObject({ status: "ok" })
      expect((yield* run("backup")).code).toBe(0)
      expect(yield* find("backup")).toMatchObject(remedied("warning", "would be lost together", "to another disk"))
      expect((yield* run(`backup --to ${target}`)).code).toBe(0)
      expect(yield* find("backup")).toMatchObject({
        status: "ok",
        detail: expect.stringContaining(target),
        remedy: null
      })
      const record = join(dataDir, "last-backup.json")
      expect(statSync(record).mode & 0o777).toBe(0o600)
      age(record, "madeAt")
      expect(yield* find("backup")).toMatchObject(remedied("warning", "made 72 h", "once a day"))
      rmSync(target, { recursive: true })
      expect(yield* find("backup")).toMatchObject(remedied("warning", "not in", "errand backup"))
    })
  )

  it.scoped("asks for a proof that a restore works", () =>
    Effect.gen(function* () {
      const { dataDir, find, run, target } = yield* installation
      expect(yield* find("restore")).toMatchObject(remedied("warning", "no restore has been proven", "--prove"))
      yield* run(`backup --to ${target} --database-only`)
      const { path } = JSON.parse(readFileSync(join(dataDir, "last-backup.json"), "utf8"))
      expect((yield* run(`restore --prove ${path}`)).code).toBe(0)
      expect(yield* find("restore")).toMatchObject({ status: "ok", remedy: null })
      age(join(dataDir, "restore-proof.json"), "provenAt")
      expect(yield* find("restore")).toMatchObject(remedied("warning", "proven 72 h", "--prove"))
    })
  )

  it.scoped("asks Litestream whether it answers, where it is said to run", () =>
    Effect.gen(function* () {
      const { dataDir, find } = yield* installation
      expect(yield* find("replica")).toBeUndefined()
      const server = yield* Effect.acquireRelease(
        Effect.async<ReturnType<typeof createServer>>((resume) => {
          const made = createServer((_, response) => {
            response.end(`litestream_sync_count{db="${dataDir}/errand.db"} 7\n`)
          })
          made.listen(0, "127.0.0.1", () => resume(Effect.succeed(made)))
        }),
        (made) => Effect.sync(() => made.close())
      )
      const ERRAND_LITESTREAM_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`
      expect(yield* find("replica", { ERRAND_LITESTREAM_URL })).toMatchObject({ status: "ok", remedy: null })
      server.closeAllConnections()
      server.close()
      expect(yield* find("replica", { ERRAND_LITESTREAM_URL })).toMatchObject(
        remedied("problem", "does not answer", "ERRAND_LITESTREAM_URL")
      )
    })
  )

  it.scoped("misses the key of what is sealed, and minds who may look into the directory", () =>
    Effect.gen(function* () {
      const { dataDir, find } = yield* installation
      expect(yield* find("secret key")).toMatchObject(remedied("problem", "is missing", "Put it back"))
      expect(yield* find("secret key", { ERRAND_SECRET_KEY: "x".repeat(32) })).toMatchObject({ status: "ok" })
      writeFileSync(join(dataDir, "secret.key"), "x".repeat(43), { mode: 0o600 })
      expect(yield* find("secret key")).toMatchObject({ status: "ok", remedy: null })
      expect(yield* find("privacy")).toMatchObject({ status: "ok" })
      chmodSync(dataDir, 0o750)
      expect(yield* find("privacy")).toMatchObject(remedied("warning", "may look into", `chmod go= ${dataDir}`))
    })
  )

  it.scoped("tells the schema of the database, one that is too new, and a file that is none", () =>
    Effect.gen(function* () {
      const { dataDir, find } = yield* installation
      const file = join(dataDir, "errand.db")
      expect(yield* find("database")).toMatchObject({ status: "ok", detail: `schema ${knownSchema}` })
      yield* executeIn(file, "INSERT INTO effect_sql_migrations (migration_id, name) VALUES (9999, 'later')")
      expect(yield* find("database")).toMatchObject(remedied("problem", "schema 9999", "newer version"))
      for (const part of ["-wal", "-shm"]) rmSync(`${file}${part}`, { force: true })
      writeFileSync(file, "this is no database, and long enough to be looked at as one".repeat(99))
      expect(yield* find("database")).toMatchObject(remedied("problem", "can't be read", "errand restore"))
    })
  )
})
