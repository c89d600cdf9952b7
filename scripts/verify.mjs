/**
 * `npm run verify`: every check, two at a time, and then the tests. All run even when one fails; a check's output is
 * shown when it fails. `npm run verify -- --quick` leaves the tests out.
 */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const checks = ["types", "effect", "lint", "format:check", "boundaries", "patterns", "unused"]

const run = (script, stdio) =>
  new Promise((resolve) => {
    const started = performance.now()
    const child = spawn("npm", ["run", "--silent", script], { cwd: root, stdio })
    const output = []
    child.stdout?.on("data", (bytes) => output.push(bytes))
    child.stderr?.on("data", (bytes) => output.push(bytes))
    child.on("close", (code) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(1)
      resolve({ ok: code === 0, seconds, output: Buffer.concat(output).toString() })
    })
  })

const failed = []
const waiting = [...checks]
const lane = async () => {
  for (let script = waiting.shift(); script !== undefined; script = waiting.shift()) {
    const { ok, seconds, output } = await run(script, ["ignore", "pipe", "pipe"])
    console.log(`${ok ? "ok    " : "FAILED"} ${script} (${seconds} s)`)
    if (ok) continue
    failed.push(script)
    console.log(output.trimEnd())
  }
}
await Promise.all([lane(), lane()])

if (!process.argv.includes("--quick")) {
  const { ok } = await run("test", "inherit")
  if (!ok) failed.push("test")
}
if (failed.length > 0) console.log(`verify: failed: ${failed.join(", ")}`)
process.exitCode = failed.length > 0 ? 1 : 0
