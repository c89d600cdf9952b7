import { existsSync } from "node:fs"
import { dirname, relative, resolve } from "node:path"

/**
 * Puts the modules of test/faults in the place of those of src that have the same path: they are the same with points
 * around their effects where a test can make them fail. What ships is built without this and knows nothing of it.
 */
export const faultPoints = (root) => {
  const source = resolve(root, "src")
  const faults = resolve(root, "test/faults")
  return {
    name: "faultPoints",
    setup(build) {
      build.onResolve({ filter: /^\..*\.ts$/ }, ({ importer, path }) => {
        const stand = resolve(faults, relative(source, resolve(dirname(importer), path)))
        return !importer.startsWith(faults) && existsSync(stand) ? { path: stand } : undefined
      })
    }
  }
}
