/** The main script of the single executable: runs the bundle that is inside of it. */
import { getRawAsset } from "node:sea"
import { compile } from "./compile.mjs"

/** As `node --test`, in this process: the project of the demo is tested with it where there is no other Node. */
const test = () => {
  const { run } = process.getBuiltinModule("node:test")
  const { spec } = process.getBuiltinModule("node:test/reporters")
  const results = run({ isolation: "none" })
  results.on("test:fail", () => {
    process.exitCode = 1
  })
  results.compose(spec).pipe(process.stdout)
}

const serve = () => {
  const source = Buffer.from(getRawAsset("errand.cjs")).toString("latin1")
  compile(source, process.execPath, Buffer.from(getRawAsset("errand.cache"))).run(require)
}

if (process.argv[2] === "--test") test()
else serve()
