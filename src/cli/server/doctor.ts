/** What `errand doctor` does. */
import { Effect, Either, Layer } from "effect"
import { AppConfig } from "../../services/AppConfig.ts"
import { Unsuccessful } from "../outcome.ts"
import { print, writeJson } from "../Screen.ts"
import { checkForges } from "./checkForges.ts"
import { checkGit, checkNode } from "./checkMachine.ts"
import { checkSandbox } from "./checkSandbox.ts"
import { checkServer } from "./checkServer.ts"
import { checkStored } from "./checkStored.ts"
import { type Finding, ok, problem, tellFinding } from "./Finding.ts"
import * as settings from "./settings.ts"

const withSettings = Effect.scoped(
  Effect.gen(function* () {
    const built = yield* Effect.either(Layer.build(settings.layer))
    if (Either.isLeft(built)) {
      const finding = problem(
        "settings",
        built.left.message,
        "Correct them in the environment or in .env; see .env.example."
      )
      return { findings: [finding], strict: false }
    }
    return yield* Effect.gen(function* () {
      const { strict } = yield* AppConfig
      // As it is: what is looked at next may make what is missing.
      const stored = yield* checkStored
      const found = [...(yield* checkServer), ...stored, ...(yield* checkForges), ...(yield* checkSandbox)]
      return { findings: [ok("settings", "all can be used"), ...found], strict }
    }).pipe(Effect.provide(built.right))
  })
)

/** Fails when there is a problem; with ERRAND_STRICT=true also when there is a warning. */
export const doctor = Effect.fn("doctor")(function* (options: { readonly json: boolean }) {
  const machine: ReadonlyArray<Finding> = [checkNode(process.versions.node), yield* checkGit]
  const { findings, strict } = yield* withSettings
  const all = [...machine, ...findings]
  yield* options.json ? Effect.forEach(all, writeJson, { discard: true }) : print(...all.flatMap(tellFinding))
  if (all.some(({ status }) => status === "problem" || (strict && status === "warning"))) {
    return yield* new Unsuccessful()
  }
})
