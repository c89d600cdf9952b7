/** From the schema before to the present one. */
import { FileSystem } from "@effect/platform"
import { NodeFileSystem } from "@effect/platform-node"
import * as Migrator from "@effect/sql/Migrator"
import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { build } from "esbuild"
import { execFile } from "node:child_process"
import { createHash } from "node:crypto"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { kept } from "../../src/layers/backup/beforeMigration.ts"
import * as AppConfigEnv from "../../src/layers/AppConfigEnv.ts"
import * as DataDirLock from "../../src/layers/DataDirLock.ts"
import * as IdsCounter from "../../src/layers/IdsCounter.ts"
import { migrations } from "../../src/layers/migrations/all.ts"
import * as Sqlite from "../../src/layers/Sqlite.ts"
import { connectTo } from "../support/otherConnection.ts"

const events = 100_000

const directory = Effect.flatMap(FileSystem.FileSystem, (files) =>
  files.makeTempDirectoryScoped({ prefix: "errand-" })
).pipe(Effect.provide(NodeFileSystem.layer))

const newest = Object.keys(migrations).at(-1) ?? ""
const previous = Number.parseInt(Object.keys(migrations).at(-2) ?? "", 10)

/** A database of the schema before, with a user, a task, and as many events as asked for. */
const fill = (file: string, count: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const sql = yield* connectTo(file)
      const older = Migrator.fromRecord(
        Object.fromEntries(Object.entries(migrations).filter(([key]) => key !== newest))
      )
      yield* Effect.provideService(Migrator.make({})({ loader: older, table: "effect_sql_migrations" }), SqlClient, sql)
      yield* sql`INSERT INTO users (id, login, role, created_at) VALUES ('user_1', 'ada', 'owner', '2026-01-01')`
      yield* sql`INSERT INTO streams (name, head) VALUES ('task:task_1', ${count})`
      yield* sql`
        WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${count})
        INSERT INTO events (stream, seq, task_id, at, type, body)
        SELECT 'task:task_1', n, 'task_1', '2026-01-01', 'message.added', hex(randomblob(100)) FROM numbers`
    })
  )

interface Contents {
  readonly [table: string]: { readonly columns: string; readonly rows: number; readonly digest: string }
}

/** What is in every table, in the columns that `like` has or in all. */
const contentsOf = (file: string, like?: Contents) =>
  Effect.scoped(
    Effect.gen(function* () {
      const sql = yield* connectTo(file)
      const tables = yield* sql<{ name: string }>`SELECT name FROM sqlite_schema
        WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'task_search%' AND name <> 'effect_sql_migrations'`
      const contents: Record<string, Contents[string]> = {}
      for (const { name } of tables) {
        if (like !== undefined && !Object.hasOwn(like, name)) continue
        const known = yield* sql.unsafe<{ name: string }>(`PRAGMA table_info(${name})`)
        const columns = like?.[name]?.columns ?? known.map((column) => column.name).join(", ")
        const rows = yield* sql.unsafe(`SELECT ${columns} FROM ${name} ORDER BY ${columns}`)
        const digest = createHash("sha256").update(JSON.stringify(rows)).digest("hex")
        contents[name] = { columns, rows: rows.length, digest }
      }
      return contents
    })
  )

const opened = (file: string) => Effect.provide(Effect.void, Sqlite.layerFile(file))

const schemaOf = (file: string) => Effect.scoped(Effect.flatMap(connectTo(file), (sql) => Sqlite.foundSchema(sql)))

const backupsBeside = (path: string) =>
  Effect.flatMap(FileSystem.FileSystem, (files) =>
    files.readDirectory(join(path, "backups")).pipe(Effect.orElseSucceed(() => []))
  ).pipe(Effect.provide(NodeFileSystem.layer))

/** Built where Node finds the packages that it imports. */
const program = fileURLToPath(new URL("../../node_modules/.cache/errand-tests/openDatabase.mjs", import.meta.url))

const buildProgram = Effect.promise(() =>
  build({
    entryPoints: [fileURLToPath(new URL("../support/openDatabase.ts", import.meta.url))],
    outfile: program,
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    logLevel: "silent"
  })
)

/** How it ended: `open`, or the signal that killed it. */
const inOtherProcess = (...words: ReadonlyArray<string>) =>
  Effect.async<string>((resume) => {
    execFile(process.execPath, [program, ...words], (error, stdout) =>
      resume(Effect.succeed(error === null ? stdout.trim() : String(error.signal)))
    )
  })

describe("an update", () => {
  it.scoped(
    "keeps everything, and a copy of the database before it",
    () =>
      Effect.gen(function* () {
        const path = yield* directory
        const file = join(path, "errand.db")
        yield* fill(file, events)
        const before = yield* contentsOf(file)
        assert.strictEqual(before["events"]?.rows, events)
        yield* opened(file)
        assert.strictEqual(yield* schemaOf(file), Sqlite.knownSchema)
        assert.deepStrictEqual(yield* contentsOf(file, before), before)
        const [copy = "", ...more] = yield* backupsBeside(path)
        assert.deepStrictEqual(more, [])
        assert.match(copy, new RegExp(`^before-update-[-0-9TZ]+-schema-${previous}\\.db$`))
        assert.deepStrictEqual(yield* contentsOf(join(path, "backups", copy)), before)
        assert.strictEqual(yield* schemaOf(join(path, "backups", copy)), previous)
      }),
    60_000
  )

  it.scoped("makes no copy where nothing changes", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const file = join(path, "errand.db")
      yield* opened(file)
      yield* opened(file)
      assert.deepStrictEqual(yield* backupsBeside(path), [])
    })
  )

  it.scopedLive("keeps the newest copies only", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const files = yield* FileSystem.FileSystem
      const older = [1, 2, 3, 4].map((day) => `before-update-2026-01-0${day}T00-00-00Z-schema-1.db`)
      yield* files.makeDirectory(join(path, "backups"))
      for (const name of [...older, "mine.db"]) yield* files.writeFileString(join(path, "backups", name), "")
      yield* fill(join(path, "errand.db"), 1)
      yield* opened(join(path, "errand.db"))
      const left = (yield* backupsBeside(path)).toSorted()
      assert.deepStrictEqual(left.slice(0, kept - 1), older.slice(-(kept - 1)))
      assert.strictEqual(left.length, kept + 1)
      assert.strictEqual(left.at(-1), "mine.db")
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  // Without the transaction around all migrations the tables are half changed, and the next start fails.
  it.scoped(
    "that is killed leaves a database that the next start updates",
    () =>
      Effect.gen(function* () {
        const path = yield* directory
        const file = join(path, "errand.db")
        yield* fill(file, 1000)
        const before = yield* contentsOf(file)
        yield* buildProgram
        let kills = 0
        for (let statements = 1; statements < 200; statements += 1) {
          const ended = yield* inOtherProcess(file, String(statements))
          if (ended.endsWith("open")) break
          assert.strictEqual(ended, "SIGKILL")
          // Killed after the commit.
          if ((yield* schemaOf(file)) === Sqlite.knownSchema) break
          kills += 1
          assert.deepStrictEqual(yield* contentsOf(file), before)
        }
        assert.isAtLeast(kills, 3)
        assert.strictEqual(yield* schemaOf(file), Sqlite.knownSchema)
        assert.deepStrictEqual(yield* contentsOf(file, before), before)
      }),
    90_000
  )

  it.scoped("is refused to a command while a server of the version before works on the database", () =>
    Effect.gen(function* () {
      const dataDir = yield* directory
      const file = join(dataDir, "errand.db")
      yield* fill(file, 1)
      const config = AppConfigEnv.layerWith({ dataDir })
      const command = Effect.void.pipe(
        Effect.provide(Sqlite.layerShared.pipe(Layer.provide([config, NodeFileSystem.layer])))
      )
      yield* buildProgram
      const server = DataDirLock.layer.pipe(Layer.provide([config, IdsCounter.layer, NodeFileSystem.layer]))
      const refusal = yield* Effect.scoped(Effect.zipRight(Layer.build(server), Effect.flip(command)))
      assert.deepInclude(refusal, { _tag: "DatabaseInUse", found: previous, known: Sqlite.knownSchema })
      assert.strictEqual(yield* schemaOf(file), previous)
      yield* command
      assert.strictEqual(yield* schemaOf(file), Sqlite.knownSchema)
    })
  )
})
