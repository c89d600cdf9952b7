/** A server that is a container itself, beside the sandboxes that it makes. */
import { assert, it } from "@effect/vitest"
import { Option } from "effect"
import { describeWithEngine } from "../support/engine.ts"
import { onHost } from "../../src/sandbox/hostPaths.ts"
import { docker } from "../support/dockerSandbox.ts"

const image = "errand-sandbox:latest"

describeWithEngine("a path of a server in a container", () => {
  it("is mounted into a sandbox where the engine has it", async () => {
    const volume = `errand-test-${process.pid}`
    const server = await docker.createContainer({
      Image: image,
      User: "0",
      Cmd: ["sh", "-c", "mkdir -p /data/egress && echo here > /data/egress/sign"],
      HostConfig: { Binds: [`${volume}:/data`] }
    })
    try {
      await server.start()
      await server.wait()
      const { Mounts } = await server.inspect()
      const source = Option.getOrThrow(onHost(Mounts, "/data/egress"))
      const [{ StatusCode: code }] = await docker.run(
        image,
        ["grep", "-q", "here", "/run/errand/sign"],
        process.stdout,
        {
          HostConfig: {
            AutoRemove: true,
            Mounts: [{ Type: "bind", Source: source, Target: "/run/errand", ReadOnly: true }]
          }
        }
      )
      assert.strictEqual(code, 0)
    } finally {
      await server.remove({ force: true })
      await docker.getVolume(volume).remove()
    }
  })

  it("is found by the closest mount, and not at all outside of one", () => {
    const mounts = [
      { Source: "/var/lib/docker/volumes/errand/_data", Destination: "/data" },
      { Source: "/srv/egress/", Destination: "/data/egress/" },
      { Source: "/srv/other", Destination: "/database" }
    ]
    assert.deepStrictEqual(onHost(mounts, "/data/x"), Option.some("/var/lib/docker/volumes/errand/_data/x"))
    assert.deepStrictEqual(onHost(mounts, "/data/egress/1"), Option.some("/srv/egress/1"))
    assert.deepStrictEqual(onHost(mounts, "/data"), Option.some("/var/lib/docker/volumes/errand/_data"))
    assert.isTrue(Option.isNone(onHost(mounts, "/home/data")))
  })
})
