/**
 * Cuts out of the bundle what Errand never calls, a third of it and 4 MB of idle memory: SSH, gRPC and protobuf
 * (dockerode's Docker over SSH and BuildKit sessions), the administration half of the model's SDK, file formats of
 * @effect/cli, a log for the developers of docker-modem, and optional native helpers. What is cut answers with an error
 * that says so where a user can reach it.
 */
import { readFile } from "node:fs/promises"

const refuse = (message) => `module.exports = () => { throw new Error(${JSON.stringify(message)}) }`
const absent = (name) => `throw Object.assign(new Error("${name} is not bundled"), { code: "MODULE_NOT_FOUND" })`

const replaced = [
  [
    /docker-modem\/lib\/ssh\.js$/,
    refuse("Docker over SSH is not supported. Forward the engine's socket and set DOCKER_HOST=unix://<path>.")
  ],
  [/dockerode\/lib\/(session|buildkit)\.js$/, refuse("BuildKit sessions are not supported.")],
  // Without following redirects, which no engine answers with, and without TLS where no engine asks for it.
  [
    /docker-modem\/lib\/http\.js$/,
    'exports.http = require("http"); Object.defineProperty(exports, "https", { get: () => require("https") })'
  ],
  [/debug\/src\/index\.js$/, "module.exports = () => () => {}"]
]

/** The resource's class ends its file; the error classes before it are needed. */
const resources = [
  [/@anthropic-ai\/sdk\/resources\/beta\/beta\.mjs$/, "Beta"],
  [/@anthropic-ai\/sdk\/resources\/organization\/organization\.mjs$/, "Organization"]
]
const withoutResource = (source, name) => {
  const start = source.indexOf(`export var ${name} = `)
  if (start < 0) throw new Error(`@anthropic-ai/sdk no longer exports ${name} as leanPackages.mjs expects`)
  return `${source.slice(0, start)}export class ${name} {}`
}

const optional = /^(bufferutil|utf-8-validate|msgpackr-extract|@parcel\/watcher)$/
/** Effect's generators of test data, and an encoding that nobody here speaks: imported, and never called. */
const idle = /^(fast-check|msgpackr)$/
const formats = /^(ini|toml|yaml)$/

export const leanPackages = {
  name: "leanPackages",
  setup(build) {
    for (const [filter, contents] of replaced) build.onLoad({ filter }, () => ({ contents }))
    for (const [filter, name] of resources) {
      build.onLoad({ filter }, async ({ path }) => ({ contents: withoutResource(await readFile(path, "utf8"), name) }))
    }
    build.onResolve({ filter: optional }, ({ path }) => ({ path, namespace: "absent" }))
    build.onLoad({ filter: /.*/, namespace: "absent" }, ({ path }) => ({ contents: absent(path) }))
    build.onResolve({ filter: idle }, ({ path }) => ({ path, namespace: "idle" }))
    build.onLoad({ filter: /.*/, namespace: "idle" }, () => ({ contents: "module.exports = {}" }))
    build.onResolve({ filter: formats }, ({ path, importer }) =>
      importer.includes("/@effect/cli/") ? { path, namespace: "format" } : undefined
    )
    build.onLoad({ filter: /.*/, namespace: "format" }, ({ path }) => ({
      contents: `exports.parse = () => { throw new Error("${path} is not a supported file format") }`
    }))
  }
}
