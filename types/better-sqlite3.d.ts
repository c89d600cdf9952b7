/** The little of it that is named directly; everything else goes through @effect/sql-sqlite-node. */
declare module "better-sqlite3" {
  export default class Database {
    prepare(this: Database, text: string): unknown
  }
}
