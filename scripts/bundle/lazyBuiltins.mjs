import { createRequire } from "node:module"

/** Node's own modules that a start can do without are loaded when something of them is first used: each takes up to 4 ms. */
const late =
  /^(?:node:)?(child_process|cluster|crypto|dns|dns\/promises|fs\/promises|https|os|readline|stream\/consumers|stream\/promises|tls|tty|v8|zlib)$/

const fromHere = createRequire(import.meta.url)

const standIn = (module) => `
let loaded
const load = () => (loaded ??= require(${JSON.stringify(`node:${module}`)}))
for (const name of ${JSON.stringify(Object.keys(fromHere(`node:${module}`)))})
  Object.defineProperty(exports, name, { enumerable: true, get: () => load()[name] })`

export const lazyBuiltins = {
  name: "lazyBuiltins",
  setup(build) {
    build.onResolve({ filter: late }, ({ namespace, path }) =>
      namespace === "builtin" ? undefined : { path: path.replace(/^node:/, ""), namespace: "builtin" }
    )
    build.onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({ contents: standIn(path) }))
  }
}
