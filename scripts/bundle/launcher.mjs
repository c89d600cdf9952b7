/**
 * The beginning of dist/errand.mjs: runs the bundle that follows it as a comment, from what V8 has kept of it in
 * errand.cache beside it. That file may be missing.
 */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"
import { fromComment } from "./comment.mjs"
import { compile } from "./compile.mjs"

const path = fileURLToPath(import.meta.url)
const text = readFileSync(path, "latin1")

const kept = () => {
  try {
    return readFileSync(path.replace(/mjs$/, "cache"))
  } catch {
    return undefined
  }
}

compile(fromComment(text), path, kept()).run(createRequire(import.meta.url))
