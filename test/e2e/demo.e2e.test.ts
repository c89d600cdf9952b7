import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, expect, it } from "vitest"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** A place of its own, and one with a space in its name, for the program and for its temporary files. */
let place: string
let temporary: string
let errand: string

beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "errand demo "))
  temporary = join(place, "tmp of demo")
  mkdirSync(join(place, "dist"))
  mkdirSync(temporary)
  errand = join(place, "dist", "errand.mjs")
  cpSync(join(root, "dist", "errand.mjs"), errand)
  symlinkSync(join(root, "node_modules"), join(place, "node_modules"))
})
afterAll(() => rmSync(place, { recursive: true, force: true }))

interface Ended {
  readonly code: number | null
  readonly output: string
  readonly complaints: string
}

const demo = (args: ReadonlyArray<string>, environment: NodeJS.ProcessEnv = {}): ChildProcess =>
  spawn(process.execPath, [errand, "demo", ...args], {
    env: { ...process.env, TMPDIR: temporary, NO_COLOR: undefined, FORCE_COLOR: undefined, ...environment },
    stdio: ["ignore", "pipe", "pipe"]
  })

const end = (child: ChildProcess): Promise<Ended> =>
  new Promise((resolve, reject) => {
    let output = ""
    let complaints = ""
    child.stdout?.on("data", (chunk) => (output += String(chunk)))
    child.stderr?.on("data", (chunk) => (complaints += String(chunk)))
    child.on("error", reject)
    child.on("close", (code) => resolve({ code, output, complaints }))
  })

const git = (directory: string, ...words: ReadonlyArray<string>) =>
  execFileSync("git", ["-C", directory, ...words], { encoding: "utf8" }).trim()

it("brings a branch with a commit and its diff to a real remote, and removes everything", async () => {
  const { code, complaints, output } = await end(demo([]))
  expect({ code, complaints }).toEqual({ code: 0, complaints: "" })
  expect(output).toContain("I am not Claude: I play a script")
  expect(output).toContain("✖ no cent is lost")
  expect(output).toMatch(/exit 1 in .*\n[^]*\$ node --test[^]*exit 0 in/)
  const lines = output.trimEnd().split("\n")
  const last = lines.slice(lines.findIndex((line) => line.startsWith("The remote has")) + 1)
  expect(last[0]).toMatch(/^ {2}branch {2}errand\/lose-no-cent-when-a-bill-is-split-[0-9a-z]+$/)
  expect(last[1]).toMatch(/^ {2}commit {2}[0-9a-f]{10} Lose no cent when a bill is split$/)
  expect(last.filter((line) => /^ {2}[-+] /.test(line))).toEqual([
    "  -  return Array.from({ length: people }, () => share)",
    "  +  const rest = cents % people",
    "  +  return Array.from({ length: people }, (_, index) => share + (index < rest ? 1 : 0))"
  ])
  expect(output).not.toContain("\u001b")
  expect(readdirSync(temporary)).toEqual([])
})

it("speaks JSON to programs, and what it says of the remote is true", async () => {
  const { code, output } = await end(demo(["--json", "--keep"]))
  expect(code).toBe(0)
  const said = output
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line))
  expect(said.map(({ type }) => type).filter((type, index, all) => type !== all[index - 1])).toEqual([
    "listening",
    "task",
    "event",
    "result"
  ])
  const events = said.filter(({ type }) => type === "event")
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
  expect(events.at(-1).event.type).toBe("task.completed")

  const { branch, commit, remote } = said.at(-1)
  expect(git(remote, "rev-parse", branch)).toBe(commit)
  expect(git(remote, "rev-parse", `${branch}~1`)).toBe(git(remote, "rev-parse", "main"))
  expect(git(remote, "for-each-ref", "--format=%(refname:short)").split("\n")).toEqual([branch, "main"])
  const clone = join(place, "clone")
  const runTests = () => spawnSync(process.execPath, ["--test"], { cwd: clone, encoding: "utf8" })
  git(place, "clone", "--quiet", remote, clone)
  expect(runTests()).toMatchObject({ status: 1, stdout: expect.stringContaining("no cent is lost") })
  git(clone, "checkout", "--quiet", branch)
  expect(runTests()).toMatchObject({ status: 0, stdout: expect.stringMatching(/pass 3/) })
})

it("says what is missing where there is no git", async () => {
  const { code, complaints, output } = await end(demo([], { PATH: join(place, "no programs here") }))
  expect({ code, output }).toEqual({ code: 1, output: "" })
  expect(complaints).toContain("The demo needs git")
  expect(complaints).toContain("apt-get install git")
})

it("leaves nothing behind when it is interrupted in the middle", async () => {
  const kept = readdirSync(temporary)
  const child = demo([])
  child.stdout?.on("data", (chunk) => {
    if (String(chunk).includes("Now I see what fails")) child.kill("SIGINT")
  })
  const { code } = await end(child)
  expect(code).toBe(130)
  expect(readdirSync(temporary)).toEqual(kept)
})
