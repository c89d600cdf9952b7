/** The walls around a sandbox, as the engine is told: a change here must be seen. */
import { expect, it } from "@effect/vitest"
import { Option } from "effect"
import { type ContainerSpec, containerOptions } from "../../src/sandbox/containerSpec.ts"
import { TaskId } from "../../src/services/Ids.ts"

const spec: ContainerSpec = {
  name: "errand-name",
  image: "errand-sandbox:latest",
  imageId: "sha256:0123",
  disk: Option.some("/dev/loop7"),
  runtime: Option.none(),
  limits: { memoryBytes: 2 * 2 ** 30, cpus: 1.5, pids: 512, diskBytes: 10 * 2 ** 30 },
  serverId: "01J00000000000000000000000",
  taskId: TaskId.make("task_01J00000000000000000000000"),
  run: 3,
  runnerBytes: 12_345,
  hosts: "/data/hosts",
  egress: null
}

it("closes everything that it does not open", () => {
  const { HostConfig, ...options } = containerOptions(spec)
  // The profile has tests of its own.
  const SecurityOpt = HostConfig.SecurityOpt?.map((option: string) => option.replace(/^seccomp=.*/, "seccomp"))
  expect({ ...options, HostConfig: { ...HostConfig, SecurityOpt } }).toMatchInlineSnapshot(`
    {
      "AttachStderr": true,
      "AttachStdin": true,
      "AttachStdout": true,
      "Entrypoint": [
        "python3",
        "-IS",
        "-c",
        "import sys; exec(sys.stdin.buffer.read(12345))",
      ],
      "Env": [
        "HOME=/home/agent",
      ],
      "Healthcheck": {
        "Test": [
          "NONE",
        ],
      },
      "HostConfig": {
        "AutoRemove": true,
        "CapDrop": [
          "ALL",
        ],
        "CgroupnsMode": "private",
        "CpuPeriod": 100000,
        "CpuQuota": 150000,
        "CpuShares": 256,
        "Init": false,
        "IpcMode": "private",
        "LogConfig": {
          "Config": {},
          "Type": "none",
        },
        "Memory": 2147483648,
        "MemorySwap": 2147483648,
        "Mounts": [
          {
            "Source": "",
            "Target": "/workspace",
            "Type": "volume",
            "VolumeOptions": {
              "DriverConfig": {
                "Name": "local",
                "Options": {
                  "device": "/dev/loop7",
                  "o": "nosuid,nodev,noinit_itable",
                  "type": "ext4",
                },
              },
              "Labels": {
                "errand.run": "3",
                "errand.server": "01J00000000000000000000000",
                "errand.task": "task_01J00000000000000000000000",
              },
              "NoCopy": true,
            },
          },
          {
            "ReadOnly": true,
            "Source": "/data/hosts",
            "Target": "/etc/hosts",
            "Type": "bind",
          },
        ],
        "NetworkMode": "none",
        "OomScoreAdj": 200,
        "PidsLimit": 512,
        "Privileged": false,
        "ReadonlyRootfs": true,
        "RestartPolicy": {
          "Name": "no",
        },
        "SecurityOpt": [
          "no-new-privileges",
          "seccomp",
        ],
        "ShmSize": 67108864,
        "Tmpfs": {
          "/home/agent": "rw,nosuid,nodev,exec,mode=0700,uid=1000,gid=1000,size=536870912",
          "/run": "rw,nosuid,nodev,noexec,mode=0755,size=16777216",
          "/tmp": "rw,nosuid,nodev,exec,mode=1777,size=536870912",
        },
        "Ulimits": [
          {
            "Hard": 8192,
            "Name": "nofile",
            "Soft": 4096,
          },
          {
            "Hard": 0,
            "Name": "core",
            "Soft": 0,
          },
          {
            "Hard": 10737418240,
            "Name": "fsize",
            "Soft": 10737418240,
          },
        ],
      },
      "Hostname": "sandbox",
      "Image": "sha256:0123",
      "Labels": {
        "errand.run": "3",
        "errand.server": "01J00000000000000000000000",
        "errand.task": "task_01J00000000000000000000000",
      },
      "NetworkDisabled": true,
      "OpenStdin": true,
      "StdinOnce": true,
      "StopTimeout": 1,
      "User": "1000:1000",
      "WorkingDir": "/workspace",
      "name": "errand-name",
    }
  `)
})

it("leaves room for programs beside files in memory", () => {
  for (const memoryBytes of [64 * 2 ** 20, 512 * 2 ** 20, 64 * 2 ** 30]) {
    const { HostConfig } = containerOptions({ ...spec, limits: { ...spec.limits, memoryBytes } })
    const sizes = Object.values(HostConfig.Tmpfs ?? {}).map((options) => Number(/size=(\d+)/.exec(options)?.[1]))
    const inMemory = sizes.reduce((sum, size) => sum + size, HostConfig.ShmSize ?? 0)
    expect(inMemory).toBeLessThan(memoryBytes * 0.85)
  }
})

it("names a runtime only when one is asked for", () => {
  expect(containerOptions({ ...spec, runtime: Option.some("runsc") }).HostConfig.Runtime).toBe("runsc")
  expect(containerOptions(spec).HostConfig).not.toHaveProperty("Runtime")
})

it("takes the owner of a plain volume from the image", () => {
  const { HostConfig } = containerOptions({ ...spec, disk: Option.none() })
  expect(HostConfig.Mounts?.[0]?.VolumeOptions).toMatchObject({ NoCopy: false, DriverConfig: { Options: {} } })
})
