/**
 * Stands in for the package `bindings`, through which better-sqlite3 finds its addon: a bundle looks it up from
 * its own place. A build that carries the addon inside (a single executable) replaces this one file.
 */
const packageOf = { "better_sqlite3.node": "better-sqlite3" }

module.exports = (addon) => require(`${packageOf[addon]}/build/Release/${addon}`)
