/**
 * `npm run build`: src/main.ts and all it needs as one file, dist/errand.mjs (the SQLite addon stays in node_modules).
 * `npm run build -- --analyze` also prints what takes the space.
 */
import { chmod } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { analyzeMetafile, build } from "esbuild"
import { leanPackages } from "./bundle/leanPackages.mjs"
import { rawText } from "./bundle/rawText.mjs"

const root = fileURLToPath(new URL("..", import.meta.url))
const outfile = `${root}dist/errand.mjs`

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
  plugins: [rawText, leanPackages],
  // CommonJS packages call `require` for Node's own modules; an ES module has to make one.
  banner: {
    js: '#!/usr/bin/env node\nimport { createRequire as makeRequire } from "node:module"\nconst require = makeRequire(import.meta.url)'
  }
})
await chmod(outfile, 0o755)

const bytes = metafile.outputs["dist/errand.mjs"].bytes
console.log(`dist/errand.mjs ${(bytes / 1024).toFixed(0)} KiB`)
if (process.argv.includes("--analyze")) console.log(await analyzeMetafile(metafile, { color: false }))
