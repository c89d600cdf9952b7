import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import { connect, EngineError, unavailable } from "../../src/sandbox/engine.ts"

const reasonOf = (status: number | null, detail: string) =>
  unavailable(connect(Option.none()), "an-image", new EngineError({ status, code: null, detail })).reason

describe("what an engine's failure means", () => {
  it("is worth another try while the engine is away or going down, and only then", () => {
    assert.strictEqual(reasonOf(null, "connect ECONNREFUSED"), "engine")
    assert.strictEqual(reasonOf(500, "(HTTP code 500) server error - create 647fa1e38812: database not open"), "engine")
    assert.strictEqual(reasonOf(500, "(HTTP code 500) server error - seccomp is not supported"), "refused")
    assert.strictEqual(reasonOf(404, "No such image: an-image"), "image")
  })
})
