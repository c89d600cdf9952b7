import { assert, it } from "@effect/vitest"
import { Option } from "effect"
import { containerIn } from "../../src/sandbox/hostPaths.ts"

const id = "0351cc296f57f7c6a025fa698d1f1f7769609f6459432a7294e6d26ad7d326ef"

it("a container is known by the files that its engine mounts into it", () => {
  const other = "97 76 254:0 /var/lib/docker/volumes/x/_data /data rw,relatime - ext4 /dev/vda rw\n"
  const docker = `93 76 254:0 /var/lib/docker/containers/${id}/resolv.conf /etc/resolv.conf rw - ext4 /dev/vda rw\n`
  const podman = `93 76 0:23 /containers/storage/overlay-containers/${id}/userdata/hostname /etc/hostname rw - tmpfs tmpfs rw\n`
  assert.deepStrictEqual(containerIn(other + docker), Option.some(id))
  assert.deepStrictEqual(containerIn(podman), Option.some(id))
  assert.isTrue(Option.isNone(containerIn(other)))
  // What somebody has named so, and mounted elsewhere.
  assert.isTrue(Option.isNone(containerIn(docker.replace("/etc/resolv.conf", "/data/resolv.conf"))))
})
