/**
 * A real repository of some size: the published source of browserify with its test suite and its test dependencies, some
 * 12,000 files, as one commit.
 */
import { execFile } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { readdir } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"

const run = promisify(execFile)
const version = "17.0.1"

/** Tests whose fixtures are folders named node_modules or symbolic links, which npm does not publish. */
const unpublished = new Set(
  (
    "browser_field_resolve field global_noparse identical_different ignore_browser_field ignore_transform_key " +
    "multi_symlink noparse paths_transform pkg_event plugin preserve-symlinks require_expose retarget shared_symlink " +
    "subdep symlink_dedupe tr tr_error tr_global tr_no_entry tr_order tr_symlink"
  )
    .split(" ")
    .map((name) => `${name}.js`)
)

/** Whether the package registry answers: without it there is no such repository. */
export const registryAnswers = async (): Promise<boolean> =>
  run("npm", ["view", `browserify@${version}`, "version"], { timeout: 60_000 }).then(
    () => true,
    () => false
  )

/** Commits the package, with `spoil` done to its files, as the branch main of a bare repository. */
export const commitBrowserify = async (
  bare: string,
  spoil: { readonly file: string; readonly from: string; readonly to: string }
): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "errand-browserify-"))
  const at = join(folder, "package")
  const git = (...args: ReadonlyArray<string>) =>
    run(
      "git",
      ["-C", at, "-c", "gc.auto=0", "-c", "user.name=A Person", "-c", "user.email=person@example.com", ...args],
      {
        env: { PATH: process.env["PATH"] ?? "", HOME: folder, GIT_CONFIG_NOSYSTEM: "1" },
        maxBuffer: 2 ** 26
      }
    )
  try {
    const { stdout } = await run("npm", ["pack", "--silent", `browserify@${version}`], {
      cwd: folder,
      timeout: 120_000
    })
    await run("tar", ["xzf", stdout.trim()], { cwd: folder })
    const manifest = JSON.parse(readFileSync(join(at, "package.json"), "utf8"))
    const tests = (await readdir(join(at, "test"))).filter((name) => name.endsWith(".js") && !unpublished.has(name))
    manifest.scripts.test = `tap -j4 --timeout=240 ${tests.map((name) => `test/${name}`).join(" ")}`
    // The newest version that its dependents ask for is not in every mirror of the registry.
    manifest.overrides = { "typedarray.prototype.slice": "1.0.5" }
    writeFileSync(join(at, "package.json"), JSON.stringify(manifest, null, 2))
    const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--omit=optional", "--prefer-offline"]
    await run("npm", ["install", ...quiet], { cwd: at, timeout: 300_000, maxBuffer: 2 ** 26 })
    const path = join(at, spoil.file)
    const source = readFileSync(path, "utf8")
    if (!source.includes(spoil.from)) throw new Error(`${spoil.file} has no ${spoil.from}`)
    writeFileSync(path, source.replace(spoil.from, spoil.to))
    await git("init", "--quiet", "-b", "main")
    await git("add", "--force", "--all")
    await git("commit", "--quiet", "-m", `browserify ${version}`)
    await git("push", "--quiet", bare, "main")
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
