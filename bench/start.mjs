/**
 * `npm run bench:start`: from the start of the process to the first answered request, of `node dist/errand.mjs` and of
 * the executable, against a bare node:http server that opens the same database; and the memory of an idle server.
 * Rounds are interleaved, so that what else the machine does meets all of them. Say how busy it was: the last line does.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { get } from "node:http"
import { loadavg, tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"

const rounds = Number(process.argv[2] ?? 11)
const root = fileURLToPath(new URL("..", import.meta.url))
const place = mkdtempSync(join(tmpdir(), "errand-bench-"))
const seed = join(place, "seed")

const file = [process.execPath, join(root, "dist/errand.mjs"), "serve", "--json"]
const binary = join(root, "dist/errand")
const sides = {
  "node:http": [process.execPath, join(root, "bench/bareServer.cjs")],
  file,
  ...(existsSync(binary) ? { executable: [binary, "serve", "--json"] } : {})
}

const answered = (url) =>
  new Promise((resolve, reject) => {
    get(`${url}/healthz`, (response) => response.resume().once("end", resolve)).once("error", reject)
  })

const serve = async ([program, ...args], dataDir) => {
  const child = spawn(program, args, {
    env: {
      PATH: process.env.PATH,
      HOME: place,
      ERRAND_DATA_DIR: dataDir,
      ERRAND_PORT: "0",
      DOCKER_HOST: "unix:///nonexistent/docker.sock"
    },
    stdio: ["ignore", "pipe", "ignore"]
  })
  for await (const line of createInterface(child.stdout)) {
    const { type, url } = JSON.parse(line)
    if (type !== "listening") continue
    await answered(url)
    return child
  }
  throw new Error(`${program} did not start`)
}

const stop = async (child) => {
  child.kill("SIGKILL")
  await once(child, "exit")
}

const inCopy = async (use) => {
  const dataDir = mkdtempSync(join(place, "run-"))
  cpSync(seed, dataDir, { recursive: true })
  const result = await use(dataDir)
  rmSync(dataDir, { recursive: true })
  return result
}

const timeOf = (command) =>
  inCopy(async (dataDir) => {
    const begin = performance.now()
    const child = await serve(command, dataDir)
    const time = performance.now() - begin
    await stop(child)
    return time
  })

const megabytesOf = (command) =>
  inCopy(async (dataDir) => {
    const child = await serve(command, dataDir)
    await sleep(10_000)
    const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))
    await stop(child)
    return Number(kilobytes) / 1024
  })

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1]

try {
  await stop(await serve(file, seed))
  const times = Object.fromEntries(Object.keys(sides).map((name) => [name, []]))
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, command] of Object.entries(sides)) times[name].push(await timeOf(command))
  }
  const bare = median(times["node:http"])
  for (const [name, command] of Object.entries(sides)) {
    const middle = median(times[name])
    const range = `${Math.min(...times[name]).toFixed(0)} to ${Math.max(...times[name]).toFixed(0)}`
    const memory = name === "node:http" ? "" : `, idle ${(await megabytesOf(command)).toFixed(0)} MB`
    console.log(`${name.padEnd(10)} ${middle.toFixed(0)} ms (${range}), ${(middle / bare).toFixed(2)} times${memory}`)
  }
  console.log(`${rounds} rounds, Node ${process.version}, load ${loadavg()[0].toFixed(1)}`)
} finally {
  rmSync(place, { recursive: true, force: true })
}
