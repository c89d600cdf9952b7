/** Preloaded by a Node that the SQLite addon in node_modules was not compiled for: loads ERRAND_TEST_ADDON instead. */
const Module = require("node:module")

const load = Module._extensions[".node"]
Module._extensions[".node"] = (module, file) =>
  load(module, file.endsWith("/better_sqlite3.node") ? process.env.ERRAND_TEST_ADDON : file)
