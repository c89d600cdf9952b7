import { readFileSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"

/**
 * Reads `import { Effect } from "effect"` as `import * as Effect from "effect/Effect"`. esbuild then knows which functions
 * of a module are used: it leaves out the others, and calls these without going through an object of all of them.
 */
const importLine = /^import \{([^}]*)\} from "(effect|@effect\/[a-z-]+)"$/gm

const fromHere = createRequire(import.meta.url)

/** Names under which a package exports whole modules. */
const modulesOf = (name) => {
  const index = readFileSync(fromHere.resolve(name).replace("/dist/cjs/", "/dist/esm/"), "utf8")
  return new Set(Array.from(index.matchAll(/^export \* as (\w+) from/gm), ([, module]) => module))
}

export const directImports = {
  name: "directImports",
  setup(build) {
    const known = new Map()
    const modules = (name) => known.get(name) ?? known.set(name, modulesOf(name)).get(name)

    const direct = (line, list, name) => {
      const names = list.split(",").flatMap((one) => one.trim() || [])
      const others = names.filter((one) => !modules(name).has(one))
      return [
        ...names.filter((one) => modules(name).has(one)).map((one) => `import * as ${one} from "${name}/${one}"`),
        ...(others.length > 0 ? [`import { ${others.join(", ")} } from "${name}"`] : [])
      ].join("; ")
    }

    build.onLoad({ filter: /\.ts$/ }, async ({ path }) => ({
      contents: (await readFile(path, "utf8")).replace(importLine, direct),
      loader: "ts"
    }))
  }
}
