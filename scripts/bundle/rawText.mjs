import { readFile } from "node:fs/promises"
import { dirname, resolve } from "node:path"

/** esbuild's side of `import text from "./file?raw"`, which Vite (and so vitest) understands by itself. */
export const rawText = {
  name: "rawText",
  setup(build) {
    build.onResolve({ filter: /\?raw$/ }, ({ path, importer }) => ({
      path: resolve(dirname(importer), path.slice(0, -"?raw".length)),
      namespace: "rawText"
    }))
    build.onLoad({ filter: /.*/, namespace: "rawText" }, async ({ path }) => ({
      contents: await readFile(path, "utf8"),
      loader: "text",
      watchFiles: [path]
    }))
  }
}
