/** What a run of the benchmark can be told, all of it by the environment. */

const number = (name: string, standard: number): number => {
  const given = process.env[name]
  const value = given === undefined ? standard : Number(given)
  if (!Number.isInteger(value) || value < 1) throw new Error(`${name} must be a whole number from 1, not "${given}"`)
  return value
}

export const settings = {
  /** In each round both sides do everything once. */
  rounds: number("BENCH_ROUNDS", 5),
  /** Steps of the task that runs alone. */
  steps: number("BENCH_STEPS", 50),
  /** Tasks that run at once, and the steps of each. */
  crowd: number("BENCH_CROWD", 8),
  crowdSteps: number("BENCH_CROWD_STEPS", 20),
  /** Milliseconds after the start until idle memory is read. */
  idleMs: number("BENCH_IDLE_MS", 5_000),
  image: process.env["ERRAND_SANDBOX_IMAGE"] ?? "errand-sandbox:latest",
  /** Options of Node for the server, divided by spaces: `--cpu-prof --cpu-prof-dir=…` says where its time goes. */
  serverOptions: (process.env["BENCH_SERVER_OPTIONS"] ?? "").split(" ").filter((option) => option !== ""),
  /** Milliseconds after which one phase of a round, or the whole run, has failed. */
  phaseMs: 60_000,
  runMs: 355_000
}

/** What both sides get of the environment, and nothing else. */
export const passedOn = Object.fromEntries(
  ["PATH", "HOME", "DOCKER_HOST"].flatMap((name) =>
    process.env[name] === undefined ? [] : [[name, process.env[name]]]
  )
)
