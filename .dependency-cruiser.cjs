/** Each rule is one sentence of ARCHITECTURE.md; `npm run boundaries` holds the code to them. */
const own = (folder) => `^src/${folder}/`
const source = "^src/"
const packages = "^node_modules/"

/** Modules of `folder` may import from the project only what matches one of `allowed`. */
const may = (folder, comment, allowed, exceptions = []) => ({
  name: `${folder}-imports`,
  comment,
  severity: "error",
  from: { path: own(folder), ...(exceptions.length > 0 ? { pathNot: exceptions } : {}) },
  to: { path: source, pathNot: [own(folder), ...allowed] }
})

module.exports = {
  forbidden: [
    may("services", "services/ is the language: contracts that know nobody.", []),
    may("agent", "agent/ tells the story of a task in the words of services/.", [own("services")]),
    may("sandbox", "sandbox/ is isolation and knows no task table, no HTTP.", [own("services")]),
    may("http", "http/ is the door: it translates between the wire and services/.", [own("services")]),
    may("layers", "layers/ are adapters; nothing of the door or the command line in them.", [
      own("services"),
      own("agent"),
      own("sandbox")
    ]),
    may("cli", "cli/ is a client of the API, and starts layers.", [
      own("services"),
      own("layers"),
      "^src/http/Api\\.ts$",
      "^src/http/api/"
    ]),
    {
      name: "services-packages",
      comment: "A contract depends on effect alone.",
      severity: "error",
      from: { path: own("services") },
      to: { pathNot: [source, `${packages}effect/`] }
    },
    {
      name: "agent-packages",
      comment: "The story reaches models, engines, files and the network through services/ only.",
      severity: "error",
      from: { path: own("agent") },
      to: { path: [packages, "^(node:)?(fs|child_process|net|http|https|os)(/|$)"], pathNot: [`${packages}effect/`] }
    },
    {
      name: "api-without-server",
      comment: "The HTTP contract can be imported by a client without any server code.",
      severity: "error",
      from: { path: ["^src/http/Api\\.ts$", "^src/http/api/"] },
      to: { path: source, pathNot: [own("services"), "^src/http/Api\\.ts$", "^src/http/api/"] }
    },
    {
      name: "entries-are-ends",
      comment: "main.ts, exports.ts and testing.ts put things together; nothing imports them.",
      severity: "error",
      from: { path: source },
      to: { path: "^src/(main|exports|testing)\\.ts$" }
    },
    {
      name: "source-without-tests",
      comment: "What ships does not know its tests, scripts or benchmark.",
      severity: "error",
      from: { path: source },
      to: { path: "^(test|scripts|bench)/" }
    },
    {
      name: "source-without-development-packages",
      comment: "What ships runs on `dependencies` alone.",
      severity: "error",
      from: { path: source },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"], dependencyTypesNot: ["type-only", "npm-peer"] }
    },
    {
      name: "no-cycles",
      comment: "Two modules that need each other are one module, or three.",
      severity: "error",
      from: { path: source },
      to: { circular: true }
    },
    {
      name: "everything-resolves",
      comment: "An import that leads nowhere would hide from the other rules.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true, pathNot: "\\?raw$" }
    }
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^dist/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["types", "import", "node", "default"] },
    cache: false
  }
}
