/** The bundle, whatever starts it. */
import { analyzeMetafile, build } from "esbuild"
import { directImports } from "./directImports.mjs"
import { faultPoints } from "./faultPoints.mjs"
import { leanPackages } from "./leanPackages.mjs"
import { lazyBuiltins } from "./lazyBuiltins.mjs"
import { ownPerformance } from "./ownPerformance.mjs"
import { rawText } from "./rawText.mjs"

const shared = (root) => ({
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  target: "node20.19",
  // Names stay: stack traces can be read.
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "none",
  logLevel: "warning"
})

/** The module's function stands in the file: to put it around the text would copy three megabytes at each start. */
const banner = `(function (exports, require, module, __filename, __dirname) { const bundleUrl = require("node:url").pathToFileURL(__filename).href`

/** Makes `outfile`, the function of a CommonJS module, of src/main.ts; `addon` is what loads SQLite's addon. */
export const bundle = async (root, outfile, { addon, analyze = false, withFaults = false }) => {
  const { metafile } = await build({
    ...shared(root),
    entryPoints: ["src/main.ts"],
    outfile,
    format: "cjs",
    metafile: true,
    define: { "process.env.NODE_ENV": '"production"', "import.meta.url": "bundleUrl" },
    alias: { bindings: addon },
    plugins: [
      ...(withFaults ? [faultPoints(root)] : []),
      rawText,
      directImports,
      lazyBuiltins,
      leanPackages,
      ownPerformance
    ],
    banner: { js: banner },
    footer: { js: "})" }
  })
  if (analyze) console.log(await analyzeMetafile(metafile, { color: false }))
}

/** Makes `outfile` of one of the launchers beside this file: with its strings as they are, which mark where it ends. */
export const launcher = (root, name, outfile, options) =>
  build({ ...shared(root), minifySyntax: false, entryPoints: [`scripts/bundle/${name}`], outfile, ...options })
