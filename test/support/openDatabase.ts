/**
 * A process of its own that opens the database named by its first argument as a server does, and ends. With a second
 * argument, a number, it is killed when it prepares so many statements after the transaction that changes the tables
 * has begun.
 */
import { NodeRuntime } from "@effect/platform-node"
import Database from "better-sqlite3"
import { Console, Effect } from "effect"
import * as Sqlite from "../../src/layers/Sqlite.ts"

const [file = "", last] = process.argv.slice(2)

if (last !== undefined) {
  const prepare = Database.prototype.prepare
  let statements = 0
  Database.prototype.prepare = function (text: string) {
    if (text === "BEGIN" || statements > 0) statements += 1
    if (statements > Number(last)) process.kill(process.pid, "SIGKILL")
    return prepare.call(this, text)
  }
}

Console.log("open").pipe(Effect.provide(Sqlite.layerFile(file)), NodeRuntime.runMain)
