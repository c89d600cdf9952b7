/** What every server on this database costs at least: node:http and one query. */
const { createServer } = require("node:http")
const { join } = require("node:path")
const Database = require("better-sqlite3")

const database = new Database(join(process.env.ERRAND_DATA_DIR, "errand.db"))
database.pragma("journal_mode = WAL")
const query = database.prepare("SELECT count(*) AS tasks FROM tasks")

const server = createServer((_, response) => {
  response.setHeader("content-type", "application/json")
  response.end(JSON.stringify(query.get()))
})
server.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ type: "listening", url: `http://127.0.0.1:${server.address().port}` }))
})
