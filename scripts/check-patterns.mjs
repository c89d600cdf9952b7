/**
 * `npm run patterns`: what neither the compiler nor the linter can forbid. Each rule is a convention of CONTRIBUTING.md.
 */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const rules = [
  {
    files: /^src\/(?!main\.ts$)/,
    pattern: /\bEffect\.run\w+|\bManagedRuntime\.make\b/,
    reason: "effects are run in src/main.ts alone"
  },
  { files: /^(src|test)\//, pattern: /\bforkDaemon\b/, reason: "background work belongs to a scope or a FiberMap" },
  { files: /^(src|test)\//, pattern: /\bas (unknown as|any)\b/, reason: "a cast switches type checking off" },
  { files: /^(src|test)\//, pattern: /@ts-(ignore|nocheck)/, reason: "use @ts-expect-error in a test, with a reason" },
  {
    files: /^test\//,
    pattern: /\b(it|test|describe|layer)(\.\w+)*\.(only|skip|todo)\b/,
    reason: "every test runs; describeWithEngine is for those that need an engine"
  },
  {
    files: /^src\/(agent|services|http)\//,
    pattern: /node:(fs|child_process)|\bFileSystem\b/,
    reason: "what an agent can write is read through Sandbox and GitStore, never by its path, and no program runs on it"
  },
  {
    files: /^src\//,
    pattern: /\.beta\.\w/,
    reason: "the bundle leaves the SDK's beta resources out (leanPackages.mjs)"
  },
  {
    files: /^src\//,
    pattern: /import\.meta\.(url|dirname|filename)/,
    reason: "the bundle is one file: import text with `?raw`"
  }
]
const names = {
  pattern: /(^|\/)(index|utils?|helpers?)\.\w+$|\/(utils?|helpers?)\//,
  reason: "a file is named for what it holds"
}

const root = fileURLToPath(new URL("..", import.meta.url))
const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "src", "test"], {
  cwd: root,
  encoding: "utf8"
})
  .split("\n")
  .filter((file) => /\.[cm]?[jt]s$/.test(file))

const linesOf = (file) => {
  try {
    return readFileSync(`${root}${file}`, "utf8").split("\n")
  } catch (error) {
    // Deleted in the work tree, still in Git's index.
    if (error.code === "ENOENT") return []
    throw error
  }
}

const findings = files.flatMap((file) => [
  ...(names.pattern.test(file) ? [`${file}: ${names.reason}`] : []),
  ...linesOf(file).flatMap((line, index) =>
    rules
      .filter((rule) => rule.files.test(file) && rule.pattern.test(line))
      .map((rule) => `${file}:${index + 1}: ${rule.reason}\n    ${line.trim().slice(0, 120)}`)
  )
])
for (const finding of findings) console.error(finding)
console.log(`${files.length} files, ${findings.length} findings`)
process.exitCode = findings.length > 0 ? 1 : 0
