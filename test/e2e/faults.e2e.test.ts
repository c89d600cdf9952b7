/**
 * Every way in which one task can be struck at its fault points, one by one. A run of all tests takes six of them, in
 * turn by the hour; ERRAND_TEST_FAULTS=all takes all (`npm run test:faults`), any other text those with it in their name.
 */
import { readFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { catalogue } from "../faults/catalogue.ts"
import { planVariable } from "../faults/faultPoint.ts"
import { describeWithEngine } from "../support/engine.ts"
import { bundle, bundleWithFaults } from "../support/errand.ts"
import { type Fault, FaultWalks, showFault } from "../support/faultWalk.ts"

/** A passing in the middle of the work of what is passed often. */
const middle = 3
const hourMs = 3_600_000
const sampleSize = 6

const faults: ReadonlyArray<Fault> = catalogue.flatMap(({ actions, inRecovery, name, often }) => [
  ...actions.map((action) => ({ point: name, action, at: 1, inRecovery: false })),
  ...(often ? [{ point: name, action: "crash" as const, at: middle, inRecovery: false }] : []),
  ...(inRecovery ? actions.map((action) => ({ point: name, action, at: 1, inRecovery: true })) : [])
])

/** Found mistakes once, or would be noticed by everybody: struck in every run. */
const known = ["crash at commit.branch.pushed:before", "crash at forge.open:after", "fail at sandbox.readFile:before"]

const sample = () => {
  const first = (Math.floor(Date.now() / hourMs) * sampleSize) % faults.length
  return [
    ...faults.filter((fault) => known.includes(showFault(fault))),
    ...[...faults, ...faults].slice(first, first + sampleSize)
  ]
}

const wanted = process.env["ERRAND_TEST_FAULTS"]
const chosen =
  wanted === undefined
    ? sample()
    : wanted === "all"
      ? faults
      : faults.filter((fault) => showFault(fault).includes(wanted))

const hasFaults = (program: string) => readFileSync(program, "utf8").includes(planVariable)

describeWithEngine("faults", () => {
  let walks: FaultWalks
  beforeAll(async () => {
    walks = await FaultWalks.prepare()
  })
  afterAll(() => walks.dispose())

  it("can't be injected into what ships", () => {
    expect([bundle, bundleWithFaults].map(hasFaults)).toEqual([false, true])
  })

  it("have points that a task passes, each of them in the catalogue", async () => {
    const { passed, violations } = await walks.walk()
    expect(violations).toEqual([])
    expect([...passed.keys()].toSorted()).toEqual(catalogue.map(({ name }) => name).toSorted())
    for (const { name, often } of catalogue)
      if (often) expect([name, passed.get(name)]).toEqual([name, expect.toSatisfy((times) => times >= middle)])
  })

  describe("lose nothing and repeat nothing:", { concurrent: true }, () => {
    for (const fault of chosen) {
      it(showFault(fault), async () => {
        const { lives, struck, violations } = await walks.walk(fault)
        expect({ struck, violations }).toEqual({ struck: true, violations: [] })
        expect(lives).toBe(1 + Number(fault.inRecovery) + Number(fault.action === "crash"))
      })
    }
  })
})
