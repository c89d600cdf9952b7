import { FileSystem } from "@effect/platform"
import { NodeFileSystem } from "@effect/platform-node"
import * as Migrator from "@effect/sql/Migrator"
import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer, Struct } from "effect"
import { migrations } from "../../src/layers/migrations/all.ts"
import * as Sqlite from "../../src/layers/Sqlite.ts"
import { connectTo, executeIn } from "../support/otherConnection.ts"

const newFile = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  return `${yield* files.makeTempDirectoryScoped({ prefix: "errand-" })}/errand.db`
}).pipe(Effect.provide(NodeFileSystem.layer))

/** Opens the database of a file for one query. */
const query = (file: string, text: string) =>
  Effect.flatMap(SqlClient, (sql) => sql.unsafe(text)).pipe(Effect.provide(Sqlite.layerFile(file)))

const numbers = Object.keys(migrations).map((key) => Number.parseInt(key, 10))

const values = (rows: ReadonlyArray<object>) => rows.map((row): unknown => Object.values(row)[0])

const refusalOf = <A, E>(layer: Layer.Layer<A, E>) => Effect.flip(Effect.provide(Effect.void, layer))

describe("migrations", () => {
  it("have keys that the migrator does not skip, each with a number of its own, in their order", () => {
    const keys = Object.keys(migrations)
    for (const key of keys) assert.match(key, /^\d{4}_[a-z_]+$/)
    assert.deepStrictEqual(
      numbers,
      [...new Set(numbers)].toSorted((a, b) => a - b)
    )
    assert.strictEqual(Sqlite.knownSchema, numbers.at(-1))
  })

  it.scoped("make the tables that users may query", () =>
    Effect.gen(function* () {
      const tables = yield* query(yield* newFile, "SELECT name FROM sqlite_schema WHERE type = 'table'")
      const promised = ["users", "tasks", "runs", "messages", "tool_calls", "events", "questions", "devices", "usage"]
      assert.includeMembers(values(tables), promised)
    })
  )

  it.scoped("are applied once, and keep what is stored", () =>
    Effect.gen(function* () {
      const file = yield* newFile
      const epoch = yield* query(file, "SELECT value FROM meta WHERE key = 'epoch'")
      assert.match(String(values(epoch)[0]), /^[0-9a-f]{32}$/)
      assert.deepStrictEqual(yield* query(file, "SELECT value FROM meta WHERE key = 'epoch'"), epoch)
      const applied = yield* query(file, "SELECT migration_id FROM effect_sql_migrations ORDER BY migration_id")
      assert.deepStrictEqual(values(applied), numbers)
    })
  )

  it.scoped("add up by day what was counted before there were sums", () =>
    Effect.gen(function* () {
      const file = yield* newFile
      const sql = yield* connectTo(file)
      const older = Struct.pick(migrations, "0001_accounts", "0002_tasks", "0003_leases")
      yield* Migrator.make({})({ loader: Migrator.fromRecord(older), table: "effect_sql_migrations" }).pipe(
        Effect.provideService(SqlClient, sql)
      )
      for (const [response, day, cost] of [
        ["one", "2026-01-01", 0.25],
        ["two", "2026-01-01", 0.5],
        ["three", "2026-01-02", 1]
      ]) {
        yield* sql`INSERT INTO usage VALUES
          ('task', ${response}, 'owner', 'https://x/y', 'm', ${`${day}T10:00:00.000Z`}, ${day}, 1, 2, 3, 4, ${cost})`
      }
      const sums = yield* query(
        file,
        "SELECT day, responses, output_tokens AS output, cost_usd AS cost FROM daily_usage"
      )
      assert.deepStrictEqual(sums, [
        { day: "2026-01-01", responses: 2, output: 4, cost: 0.75 },
        { day: "2026-01-02", responses: 1, output: 2, cost: 1 }
      ])
    })
  )

  it.scoped("are all undone when one of them fails, and the file can be used again", () =>
    Effect.gen(function* () {
      const file = yield* newFile
      yield* executeIn(file, "CREATE TABLE tasks (in_the_way INTEGER)")
      const refusal = yield* refusalOf(Sqlite.layerFile(file))
      assert.strictEqual(refusal._tag, "DatabaseUnusable")
      assert.include(refusal.message, "table tasks already exists")
      yield* executeIn(file, "DROP TABLE tasks")
      assert.deepStrictEqual(values(yield* query(file, "SELECT count(*) FROM tasks")), [0])
    })
  )
})

describe("Sqlite", () => {
  it.scoped("refuses a database with a schema newer than it knows, and leaves it alone", () =>
    Effect.gen(function* () {
      const file = yield* newFile
      yield* query(file, "SELECT 1")
      yield* executeIn(file, "INSERT INTO effect_sql_migrations (migration_id, name) VALUES (999, 'from_the_future')")
      const refusal = yield* refusalOf(Sqlite.layerFile(file))
      assert.deepInclude(refusal, { _tag: "DatabaseTooNew", file, found: 999, known: Sqlite.knownSchema })
      assert.include(refusal.message, "schema 999")
    })
  )

  it.scoped("says what is wrong with a file that is no database, or can't be made", () =>
    Effect.gen(function* () {
      const file = yield* newFile
      const files = yield* FileSystem.FileSystem
      yield* files.writeFileString(file, "not a database, but long enough to be read as one ".repeat(100))
      assert.include((yield* refusalOf(Sqlite.layerFile(file))).message, "file is not a database")
      assert.strictEqual((yield* refusalOf(Sqlite.layerFile(`${file}/no/such/directory`)))._tag, "DatabaseUnusable")
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.effect("sets what every transaction relies on", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const settings = yield* Effect.forEach(["synchronous", "foreign_keys", "busy_timeout", "temp_store"], (name) =>
        sql.unsafe(`PRAGMA ${name}`)
      )
      assert.deepStrictEqual(
        settings.map((rows) => values(rows)[0]),
        [1, 1, 10, 2]
      )
    }).pipe(Effect.provide(Sqlite.layerMemory))
  )

  it.scoped("keeps its log beside the file (WAL)", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(values(yield* query(yield* newFile, "PRAGMA journal_mode")), ["wal"])
    })
  )
})
