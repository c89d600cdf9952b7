/** What of an engine is a finding, and what lets it pass. */
import { Option } from "effect"
import { expect, it } from "vitest"
import { checkEngine, checkRuntime, checkSocket } from "../../src/cli/server/checkSandbox.ts"
import { orAccepted, type Finding } from "../../src/cli/server/Finding.ts"
import type { EngineFacts } from "../../src/layers/sandboxFacts.ts"

const facts: EngineFacts = {
  name: "Docker",
  version: "28.2.2",
  runtime: { name: "runc", version: "1.3.3" },
  rootless: false,
  kernel: "6.1.0",
  aheadMs: 0,
  socket: Option.some({ path: "/var/run/docker.sock", mode: 0o660 })
}

const engine = (version: string) => checkEngine({ ...facts, version }).status
const runc = (version: string) => checkRuntime({ ...facts, runtime: { name: "runc", version } }).status

const at = (address: string) =>
  checkSocket({ ...facts, socket: Option.none() }, { sandbox: { dockerHost: Option.some(address) } }).status

it("knows which engines and runtimes have flaws that let containers out", () => {
  expect(["20.10.24+dfsg1", "25.0.4", "24.9.9"].map(engine)).toEqual(["warning", "warning", "warning"])
  expect(["25.0.5", "25.1.0", "29.0.0-rc.1"].map(engine)).toEqual(["ok", "ok", "ok"])
  expect(["1.1.5+ds1", "1.2.7", "1.3.2"].map(runc)).toEqual(["warning", "warning", "warning"])
  expect(["1.2.8", "1.3.3", "1.4.0", "2.0.0"].map(runc)).toEqual(["ok", "ok", "ok", "ok"])
  expect(checkRuntime({ ...facts, runtime: { name: "runsc", version: null } }).status).toBe("ok")
  expect(checkEngine({ ...facts, name: "Podman Engine", version: "5.4.0" }).status).toBe("ok")
})

it("finds sockets that every user may use", () => {
  const settings = { sandbox: { dockerHost: Option.none<string>() } }
  const mode = (bits: number) =>
    checkSocket({ ...facts, socket: Option.some({ path: "/s", mode: bits }) }, settings).status
  expect([0o600, 0o660, 0o666, 0o662].map(mode)).toEqual(["ok", "ok", "problem", "problem"])
  expect(["tcp://10.0.0.1:2375", "tcp://127.0.0.1:2375", "https://engine:2376"].map(at)).toEqual([
    "warning",
    "ok",
    "ok"
  ])
})

it("lets pass what is accepted by its very version, and tells how of the rest", () => {
  const finding = checkRuntime({ ...facts, runtime: { name: "runc", version: "1.1.5+ds1" } })
  const status = (accepted: ReadonlyArray<string>): Finding => orAccepted(accepted)(finding)
  expect(status([])).toMatchObject({
    status: "warning",
    remedy: expect.stringMatching(/ERRAND_ACCEPTED_FINDINGS=runc-1\.1\.5\+ds1$/)
  })
  expect(status(["runc-1.1.4"]).status).toBe("warning")
  expect(status(["docker-1", "runc-1.1.5+ds1"])).toEqual({
    check: "runtime",
    status: "ok",
    detail: `${finding.detail} (accepted)`,
    remedy: null
  })
})
