/**
 * `npm run bench` and `npm run bench:sandbox` (with the word `sandbox`): bundles the benchmark as the build bundles Errand, and runs it. `--check` fails when a goal is
 * missed, `--json` prints figures for programs; see bench.ts for the settings.
 */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"
import { leanPackages } from "../scripts/bundle/leanPackages.mjs"
import { rawText } from "../scripts/bundle/rawText.mjs"

/** The tests' git server brings `describe` along, which works only inside a test run and is not called here. */
const withoutVitest = {
  name: "withoutVitest",
  setup(build) {
    build.onResolve({ filter: /^vitest$/ }, ({ path }) => ({ path, external: true, sideEffects: false }))
  }
}

const root = fileURLToPath(new URL("..", import.meta.url))

await build({
  absWorkingDir: root,
  entryPoints: ["bench/bench.ts", "bench/sandbox.ts", "bench/loopProcess.ts", "bench/modelProcess.ts"],
  outdir: "dist/bench",
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  target: "node20.19",
  format: "esm",
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "none",
  logLevel: "warning",
  define: { "process.env.NODE_ENV": '"production"' },
  plugins: [rawText, leanPackages, withoutVitest],
  banner: {
    js: 'import { createRequire as makeRequire } from "node:module"\nconst require = makeRequire(import.meta.url)'
  }
})

const words = process.argv.slice(2)
const program = words[0] === "sandbox" ? "sandbox" : "bench"
const bench = spawn(process.execPath, [`${root}dist/bench/${program}.mjs`, ...words], { stdio: "inherit" })
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => bench.kill(signal))
bench.on("exit", (code) => {
  process.exitCode = code ?? 1
})
