/** The files of docs/examples, and what makes programs of those in TypeScript. */
import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import openapiTs, { astToString } from "openapi-typescript"

export const examples = fileURLToPath(new URL("../../docs/examples", import.meta.url))

const compiler = fileURLToPath(new URL("../../node_modules/typescript/bin/tsc", import.meta.url))
const openapi = fileURLToPath(new URL("../../docs/openapi.json", import.meta.url))

/** Type-checks the examples with types made of the OpenAPI document, and gives the directory of the JavaScript. */
export const compileExamples = async (directory: string): Promise<string> => {
  const source = join(directory, "examples")
  mkdirSync(source)
  const files = readdirSync(examples).filter((file) => file.endsWith(".ts"))
  for (const file of files) cpSync(join(examples, file), join(source, file))
  writeFileSync(join(source, "errand-api.ts"), astToString(await openapiTs(readFileSync(openapi, "utf8"))))
  writeFileSync(join(source, "package.json"), `{ "type": "module" }`)
  const compilerOptions = {
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    noFallthroughCasesInSwitch: true,
    noUnusedLocals: true,
    noUnusedParameters: true,
    erasableSyntaxOnly: true,
    verbatimModuleSyntax: true,
    rewriteRelativeImportExtensions: true,
    target: "es2023",
    module: "esnext",
    moduleResolution: "bundler",
    lib: ["es2023", "dom"],
    types: [],
    outDir: "out"
  }
  writeFileSync(join(source, "tsconfig.json"), JSON.stringify({ compilerOptions, files }))
  execFileSync(process.execPath, [compiler, "-p", source], { encoding: "utf8", stdio: "pipe" })
  writeFileSync(join(source, "out", "package.json"), `{ "type": "module" }`)
  return join(source, "out")
}
