/** The walls as they stand around a running sandbox: what the engine says of it, and the kernel to who runs at them. */
import { assert } from "@effect/vitest"
import { Effect, Option } from "effect"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { containerOptions } from "../../src/sandbox/containerSpec.ts"
import { runProbe } from "../../src/sandbox/probe/probe.ts"
import { containersOf, docker, dockerSandbox, limits } from "../support/dockerSandbox.ts"
import { describeWithEngine } from "../support/engine.ts"
import { sh, spec, testIn } from "../support/sandboxContract.ts"

const server = "test-probe"
const x86 = process.arch === "x64"

/** The same, without what an engine adds to an object, and with the empty text that it leaves out. */
const within = (expected: unknown, actual: unknown): unknown => {
  if (Array.isArray(expected) && Array.isArray(actual)) return actual.map((item, at) => within(expected[at], item))
  if (typeof expected !== "object" || expected === null || typeof actual !== "object" || actual === null) return actual
  const given: Readonly<Record<string, unknown>> = { ...actual }
  return Object.fromEntries(
    Object.entries(expected).map(([key, value]) => [key, within(value, given[key] ?? (value === "" ? "" : undefined))])
  )
}

describeWithEngine("a running sandbox", () => {
  const test = testIn(dockerSandbox(server))

  // Seen to fail with one option left out of the request (each of: SecurityOpt, CapDrop, PidsLimit, ReadonlyRootfs).
  test("is to the engine what one file says", (_handle) =>
    Effect.gen(function* () {
      const [container] = yield* containersOf(server)
      const inspected = yield* Effect.promise(() => docker.getContainer(container?.Id ?? "").inspect())
      const image = yield* Effect.promise(() => docker.getImage("errand-sandbox:latest").inspect())
      const { HostConfig } = containerOptions({
        name: inspected.Name.slice(1),
        image: "errand-sandbox:latest",
        imageId: image.Id,
        runtime: Option.none(),
        limits,
        disk: Option.fromNullable(inspected.HostConfig.Mounts?.[0]?.VolumeOptions?.DriverConfig.Options["device"]),
        serverId: server,
        taskId: spec.taskId,
        run: 1,
        runnerBytes: 0,
        hosts: join(tmpdir(), `errand-${server}`, "hosts"),
        egress: null
      })
      assert.strictEqual(inspected.Image, image.Id)
      assert.strictEqual(inspected.Config.User, "1000:1000")
      assert.deepStrictEqual(within(HostConfig, inspected.HostConfig), HostConfig)
      const shown = JSON.stringify(within(HostConfig, inspected.HostConfig), null, 2).replace(
        /"seccomp=.*"/,
        '"seccomp=…"'
      )
      process.stdout.write(`${shown}\n`)
      // What nobody asked for is not there either.
      for (const name of ["Binds", "CapAdd", "Devices", "DeviceRequests", "PortBindings", "VolumesFrom", "GroupAdd"]) {
        assert.isEmpty(Reflect.get(inspected.HostConfig, name) ?? [], name)
      }
    }))

  // Seen to fail with the engine's default profile (AF_VSOCK, io_uring, netlink), and with the sub-architectures of that
  // profile put back (32-bit and x32 system calls).
  test("lets nothing through to the kernel that the profile does not name", (handle) =>
    Effect.gen(function* () {
      const report = yield* Effect.orDie(runProbe(handle))
      assert.deepStrictEqual(report.openings, [])
      assert.include(report.sockets, "1/1")
      assert.include(report.sockets, "2/1")
      if (x86) assert.deepStrictEqual([report.int80, report.x32], ["SIGSYS", "SIGSYS"])
    }))

  // Seen to fail without the profile's rule for ptrace.
  test("lets debuggers at their own children", (handle) =>
    Effect.gen(function* () {
      const script = `
import ctypes, os, signal
libc = ctypes.CDLL(None, use_errno=True)
child = os.fork()
if not child: signal.pause()
print(libc.ptrace(0x4206, child, 0, 0), libc.ptrace(0x4207, child, 0, 0))
os.kill(child, 9)`
      const { output } = yield* handle.run({ ...sh(""), argv: ["python3", "-c", script] })
      assert.strictEqual(output, "0 0\n")
    }))
})
