/** The engine's command line, and the image of the server for tests that deploy it. */
import { execFile, execFileSync } from "node:child_process"
import { existsSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { bundle } from "./errand.ts"

export const root = fileURLToPath(new URL("../..", import.meta.url))
export const engineSocket = "/var/run/docker.sock"
/** The server, as `npm run image` makes it. */
export const serverImage = "errand:test"
const executable = join(root, "dist/errand")

/**
 * What `--privileged` gives, but for a capability that root lacks on some virtual machines: there the engine refuses to
 * give it to a container, and with it the container.
 */
export const asPrivileged = [
  "--cap-add=ALL",
  "--cap-drop=SYS_RESOURCE",
  // Beside control groups that are mounted as the machine has them.
  "--cgroupns=host",
  ...["seccomp", "apparmor", "systempaths"].map((wall) => `--security-opt=${wall}=unconfined`)
]

const cgroup = "/sys/fs/cgroup"
const isSecondVersion = existsSync(join(cgroup, "cgroup.controllers"))

/** Where the first version's control groups are mounted, a file system that systemd makes read-only for everybody who has it. */
export const placeOfControlGroups: ReadonlyArray<string> = isSecondVersion ? [] : [cgroup]

/** The machine's own control groups, as volumes. */
export const controlGroups: ReadonlyArray<string> = isSecondVersion
  ? [`${cgroup}:${cgroup}:rw`]
  : readFileSync("/proc/self/mounts", "utf8")
      .split("\n")
      .map((line) => line.split(" ")[1] ?? "")
      .filter((path) => path.startsWith(`${cgroup}/`))
      .map((path) => `${path}:${path}:rw`)

export interface Told {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** What a program says, and how it ends. */
export const tell = async (
  program: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {}
): Promise<Told> => {
  const options = { timeout: 120_000, maxBuffer: 10_000_000, env: { ...process.env, ...env } }
  return await promisify(execFile)(program, args, options).then(
    ({ stderr, stdout }) => ({ code: 0, stdout, stderr }),
    ({ code, stderr, stdout }: Told) => ({ code, stdout, stderr })
  )
}

export const docker = (...args: ReadonlyArray<string>) => tell("docker", args)

/** The same for what must succeed; gives what it said. */
export const docked = async (...args: ReadonlyArray<string>): Promise<string> => {
  const { code, stderr, stdout } = await docker(...args)
  if (code !== 0) throw new Error(`docker ${args.join(" ")}: ${stderr}`)
  return stdout.trim()
}

export const build = (image: string, ...args: ReadonlyArray<string>) =>
  execFileSync("docker", ["build", "--quiet", "--tag", image, ...args], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
    timeout: 600_000,
    env: { ...process.env, DOCKER_BUILDKIT: "0" }
  })

/** Newer than the bundle that this run of the tests began with: it was made by this run. */
const isOfThisRun = () => existsSync(executable) && statSync(executable).mtimeMs > statSync(bundle).mtimeMs

/** Makes dist/errand, once for all tests, and the image around it. */
export const buildServer = () => {
  if (!isOfThisRun()) {
    execFileSync(process.execPath, ["scripts/build-binary.mjs"], { cwd: root, stdio: "inherit", timeout: 600_000 })
  }
  build(serverImage, ".")
}
