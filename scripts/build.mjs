/**
 * `npm run build`: src/main.ts and all it needs as one file, dist/errand.mjs (the SQLite addon stays in node_modules).
 * `npm run build -- --analyze` also prints what takes the space; `--faults` builds dist/errand-faults.mjs instead, the
 * same with the fault points of test/faults.
 */
import { chmod } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { analyzeMetafile, build } from "esbuild"
import { faultPoints } from "./bundle/faultPoints.mjs"
import { leanPackages } from "./bundle/leanPackages.mjs"
import { rawText } from "./bundle/rawText.mjs"

const root = fileURLToPath(new URL("..", import.meta.url))
const withFaults = process.argv.includes("--faults")
const name = withFaults ? "dist/errand-faults.mjs" : "dist/errand.mjs"
const outfile = `${root}${name}`

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ["src/main.ts"],
  outfile,
  bundle: true,
  platform: "node",
  target: "node20.19",
  format: "esm",
  // Names stay: stack traces can be read, and this measured faster to start and no larger in memory.
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
  define: { "process.env.NODE_ENV": '"production"' },
  alias: { bindings: "./scripts/bundle/nativeAddon.cjs" },
  plugins: [...(withFaults ? [faultPoints(root)] : []), rawText, leanPackages],
  // CommonJS packages call `require` for Node's own modules; an ES module has to make one.
  banner: {
    js: '#!/usr/bin/env node\nimport { createRequire as makeRequire } from "node:module"\nconst require = makeRequire(import.meta.url)'
  }
})
await chmod(outfile, 0o755)

const bytes = metafile.outputs[name].bytes
console.log(`${name} ${(bytes / 1024).toFixed(0)} KiB`)
if (process.argv.includes("--analyze")) console.log(await analyzeMetafile(metafile, { color: false }))
