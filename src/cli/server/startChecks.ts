/**
 * The checks of a server that starts.
 *
 * Owns: which checks these are, and what becomes of their findings. Nobody waits for them, so they are loaded when they run.
 */
import { Effect } from "effect"
import { ServerNotStarted } from "../ServerProcess.ts"
import { checkGit, checkNode } from "./checkMachine.ts"
import { checkSandbox } from "./checkSandbox.ts"
import { checkServer } from "./checkServer.ts"
import type { Finding } from "./Finding.ts"

const sentence = ({ check, detail, remedy }: Finding) =>
  `${check}: ${detail.replace(/\.$/, "")}.${remedy === null ? "" : ` ${remedy}`}`

/** Trying a sandbox takes a processor for half a second, which the first requests after the start need more. */
const beforeSandbox = "10 seconds"

const quickChecks = Effect.gen(function* () {
  return [checkNode(process.versions.node), yield* checkGit, ...(yield* checkServer)]
})

const bad = (findings: ReadonlyArray<Finding>) => findings.filter(({ status }) => status !== "ok")

const tell = (findings: ReadonlyArray<Finding>) =>
  Effect.forEach(bad(findings), (finding) => Effect.logWarning(sentence(finding)), { discard: true })

/** What the start-up checks find is logged, */
export const check = Effect.flatMap(quickChecks, tell).pipe(
  Effect.zipRight(Effect.delay(Effect.flatMap(checkSandbox, tell), beforeSandbox))
)

/** or fatal with ERRAND_STRICT=true. */
export const strictCheck = Effect.gen(function* () {
  const found = bad([...(yield* quickChecks), ...(yield* checkSandbox)])
  if (found.length === 0) return
  return yield* new ServerNotStarted({
    problem: ["ERRAND_STRICT does not let the server start:", ...found.map(sentence)].join("\n")
  })
})
