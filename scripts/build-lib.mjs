/**
 * First half of `npm run build:lib`: what the package exports, as modules in dist/lib that leave every dependency in
 * node_modules. esbuild writes the JavaScript, because text files are part of the module graph; tsc the declarations.
 */
import { rm } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"
import { rawText } from "./bundle/rawText.mjs"

const root = fileURLToPath(new URL("..", import.meta.url))

await rm(`${root}dist/lib`, { recursive: true, force: true })
await build({
  absWorkingDir: root,
  entryPoints: ["src/exports.ts", "src/testing.ts"],
  outdir: "dist/lib",
  bundle: true,
  splitting: true,
  packages: "external",
  platform: "node",
  target: "node20.19",
  format: "esm",
  logLevel: "warning",
  plugins: [rawText]
})
