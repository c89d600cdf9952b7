import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { ask, door } from "../http/door.ts"

const dashboard = JSON.parse(readFileSync(new URL("../../deploy/grafana/errand.json", import.meta.url), "utf8"))

/** Told only when there is something to tell: by a replica, a proof, a model that was asked, a tool that was used. */
const source = ["gauges", "taskMetrics", "metrics", "stream/streamMetrics"]
  .map((name) => readFileSync(new URL(`../../src/http/${name}.ts`, import.meta.url), "utf8"))
  .concat(readFileSync(new URL("../../src/agent/modelMetrics.ts", import.meta.url), "utf8"))
  .join("\n")

layer(door(), { excludeTestServices: true })("the dashboard", (it) => {
  it.effect("asks for metrics that the server has, by their names", () =>
    Effect.gen(function* () {
      const { text } = yield* ask("GET", "/metrics")
      const asked: ReadonlyArray<string> = JSON.stringify(dashboard).match(/\b(?:errand|process)_[a-z_]+/g) ?? []
      const names = new Set(asked.map((name) => name.replace(/_(?:bucket|count|sum)$/, "")))
      expect(names.size).toBeGreaterThan(15)
      for (const name of names) expect(text.includes(name) || source.includes(`"${name}"`) ? "" : name).toBe("")
    })
  )
})
