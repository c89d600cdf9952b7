/**
 * What a sandbox costs beside `docker run` on the default bridge with a plain volume, both of the same image: the time
 * until a first command has spoken, and the time of a build inside. Rounds alternate; figures are medians.
 *
 * `--check` fails when a goal is missed; BENCH_ROUNDS sets the number of rounds (20).
 */
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { availableParallelism, loadavg, tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { Effect, Layer } from "effect"
import * as AppConfigEnv from "../src/layers/AppConfigEnv.ts"
import { DataDir } from "../src/layers/DataDirLock.ts"
import * as EgressMemory from "../src/layers/EgressMemory.ts"
import * as IdsUlid from "../src/layers/IdsUlid.ts"
import * as SandboxDocker from "../src/layers/SandboxDocker.ts"
import { TaskId } from "../src/services/Ids.ts"
import { Sandbox } from "../src/services/Sandbox.ts"
import { now } from "./clock.ts"
import { settings } from "./settings.ts"
import { median } from "./statistics.ts"

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 20)
const say = (words: string) => process.stderr.write(`${words}\n`)

/** A compiler, many small processes, many small files and git: what builds are made of. Says its milliseconds. */
const build = `
set -e
mkdir src
for n in $(seq 12); do
  printf '#include <stdio.h>\\n#include <stdlib.h>\\n#include <string.h>\\n' > src/part$n.c
  for m in $(seq 150); do
    echo "int f\${n}_$m(int x) { char b[64]; snprintf(b, sizeof b, \\"%d\\", x * $m); return (int)strlen(b) + x % $n; }"
  done >> src/part$n.c
done
printf 'OBJECTS = $(patsubst %%.c,%%.o,$(wildcard src/*.c))\\nlibparts.a: $(OBJECTS)\\n\\tar rcs $@ $^\\n' > Makefile
begun=$(date +%s%N)
make -s -j2 CFLAGS=-O1
for n in $(seq 200); do /bin/true; done
mkdir -p files && node -e 'for (let n = 0; n < 1500; n++) require("fs").writeFileSync("files/" + n + ".txt", "x".repeat(n))'
git init -q . && git add . && git -c user.name=a -c user.email=a@b.c commit -qm all && git status --short
rm -rf files
echo $((($(date +%s%N) - begun) / 1000000))
`

interface Figures {
  readonly startMs: number
  readonly buildMs: number
}

const firstOutput = (child: ChildProcess) =>
  new Promise<void>((resolve, reject) => {
    child.stdout?.once("data", () => resolve())
    child.once("exit", (code) => reject(new Error(`docker run ended with ${code}`)))
  })

const plain = async (round: number): Promise<Figures> => {
  const name = `errand-bench-${process.pid}-${round}`
  const began = now()
  const words = ["run", "--rm", "--interactive", "--name", name, "--volume", "/workspace", "--workdir", "/workspace"]
  const child = spawn("docker", [...words, settings.image, "sh", "-c", "echo ready; cat"], {
    stdio: ["pipe", "pipe", "inherit"]
  })
  await firstOutput(child)
  const startMs = now() - began
  const { stdout } = await promisify(execFile)("docker", ["exec", name, "bash", "-c", build])
  const ended = new Promise((resolve) => child.once("exit", resolve))
  child.stdin.end()
  await ended
  return { startMs, buildMs: Number(stdout.trim()) }
}

const hardened = (round: number) =>
  Effect.gen(function* () {
    const sandbox = yield* Sandbox
    const taskId = TaskId.make(`task_${String(round).padStart(26, "0")}`)
    const began = now()
    const handle = yield* sandbox.open({ taskId, run: 1, network: { mode: "none", hosts: [] } })
    const run = (argv: readonly [string, ...Array<string>]) =>
      handle.run({ argv, timeoutMs: 120_000, outputLimit: 65_536 })
    yield* run(["sh", "-c", "echo ready"])
    const startMs = now() - began
    const { exitCode, output } = yield* run(["bash", "-c", build])
    if (exitCode !== 0) return yield* Effect.dieMessage(`the build failed: ${output}`)
    return { startMs, buildMs: Number(output.trim()) }
  }).pipe(Effect.scoped)

const directory = mkdtempSync(join(tmpdir(), "errand-bench-"))
/** As much as the plain one has: what is compared is the walls. */
const limits = { memoryBytes: 4 * 2 ** 30, cpus: availableParallelism(), pids: 512, diskBytes: 10 * 2 ** 30 }
const layer = Layer.provide(SandboxDocker.layer, EgressMemory.layer).pipe(
  Layer.provide([
    Layer.succeed(DataDir, { path: directory, serverId: `bench-${process.pid}` }),
    AppConfigEnv.layerWith({ dataDir: directory, sandbox: { limits, image: settings.image } }),
    IdsUlid.layer,
    NodeContext.layer
  ])
)

const figures: { readonly plain: Array<Figures>; readonly errand: Array<Figures> } = { plain: [], errand: [] }
const load = () =>
  loadavg()
    .map((value) => value.toFixed(1))
    .join(" ")

const everything = Effect.gen(function* () {
  // What the first sandbox of a server learns, and the caches of both.
  yield* hardened(0)
  yield* Effect.promise(() => plain(0))
  for (let round = 1; round <= rounds; round++) {
    const sides = [
      Effect.map(
        Effect.promise(() => plain(round)),
        (one) => figures.plain.push(one)
      ),
      Effect.map(hardened(round), (one) => figures.errand.push(one))
    ]
    yield* Effect.all(round % 2 === 1 ? sides : sides.toReversed(), { discard: true })
    const [a, b] = [figures.plain.at(-1), figures.errand.at(-1)]
    say(
      `round ${round}: start ${a?.startMs.toFixed(0)} and ${b?.startMs.toFixed(0)} ms, ` +
        `build ${a?.buildMs} and ${b?.buildMs} ms, load ${load()}`
    )
  }
})

const compare = (title: string, figure: keyof Figures, limit: number): boolean => {
  const plainMs = median(figures.plain.map((one) => one[figure]))
  const errandMs = median(figures.errand.map((one) => one[figure]))
  const ratio = errandMs / plainMs
  const met = ratio <= limit
  console.log(
    `${met ? "PASS" : "FAIL"}  ${title}: ${plainMs.toFixed(0)} ms plain, ${errandMs.toFixed(0)} ms in a sandbox, ` +
      `ratio ${ratio.toFixed(2)} (at most ${limit.toFixed(2)})`
  )
  return met
}

say(`load ${load()}, ${availableParallelism()} processors, ${rounds} rounds`)
try {
  await Effect.runPromise(Effect.provide(everything, layer))
  const met = [compare("start", "startMs", 1), compare("build", "buildMs", 1.1)]
  if (process.argv.includes("--check") && met.includes(false)) process.exitCode = 1
} finally {
  rmSync(directory, { recursive: true, force: true })
}
