/**
 * What a sandbox is to the engine: every wall around the code inside, in one place.
 *
 * Owns: all options of the container.
 * Does not own: the image (`image/Dockerfile`), making and removing (`container.ts`).
 */
import type { ContainerCreateOptions, HostConfig } from "dockerode"
import { Option } from "effect"
import type { SandboxLimits } from "../services/AppConfig.ts"
import type { SecretsInside } from "../services/Egress.ts"
import type { TaskId } from "../services/Ids.ts"
import { secretEnvironment } from "./secretSettings.ts"
import { hostname } from "./hostsFile.ts"
import { egressTarget, networkEnvironment } from "./networkSettings.ts"
import profile from "./seccomp/profile.json?raw"

export const label = { server: "errand.server", task: "errand.task", run: "errand.run" } as const

/** The directory of the work tree inside. */
export const root = "/workspace"

export interface ContainerSpec {
  readonly name: string
  /** As the settings name it. */
  readonly image: string
  /** What that name stood for when the run began: nothing else runs, whoever moves the name meanwhile. */
  readonly imageId: string
  readonly runtime: Option.Option<string>
  readonly limits: SandboxLimits
  /** A block device with an empty ext4 file system of `limits.diskBytes`; none for a plain volume, which is measured. */
  readonly disk: Option.Option<string>
  readonly serverId: string
  readonly taskId: TaskId
  readonly run: number
  /** Bytes of the runner, which comes over standard input: as an argument it would fill every listing of processes. */
  readonly runnerBytes: number
  /** The file of this host that is `/etc/hosts` inside; with none the engine writes one, and makes the network for it. */
  readonly hosts: string | null
  /** Directory of this host with the socket that is the only way out; none leaves the sandbox without any. */
  readonly egress: string | null
  /** Variables of the environment: the placeholders of secrets, never a value. */
  readonly secrets?: SecretsInside | null
}

const MiB = 2 ** 20

/** The engine takes the text of a profile, not its place. */
const seccomp = `seccomp=${JSON.stringify(JSON.parse(profile))}`

/** Nobody inside needs devices of a disk, nor programs that give rights; tables of an ext4 are written when needed. */
const workspace = (disk: Option.Option<string>) =>
  Option.match(disk, {
    // A plain volume takes its owner from the image.
    onNone: () => ({ NoCopy: false, Options: {} }),
    onSome: (device) => ({ NoCopy: true, Options: { type: "ext4", device, o: "nosuid,nodev,noinit_itable" } })
  })

/** Files in memory count as memory: full of them, there is still room to run something. */
const shareOf = (memoryBytes: number, part: number, mostMiB: number) =>
  Math.min(mostMiB * MiB, Math.floor(memoryBytes / part))

const bind = (source: string | null, target: string) =>
  source === null ? [] : [{ Type: "bind" as const, Source: source, Target: target, ReadOnly: true }]

interface ContainerOptions extends ContainerCreateOptions {
  readonly HostConfig: HostConfig & { readonly CgroupnsMode: "private" }
}

export const containerOptions = (spec: ContainerSpec): ContainerOptions => {
  const { cpus, diskBytes, memoryBytes, pids } = spec.limits
  const { NoCopy, Options } = workspace(spec.disk)
  const labels = { [label.server]: spec.serverId, [label.task]: spec.taskId, [label.run]: String(spec.run) }
  return {
    name: spec.name,
    Image: spec.imageId,
    // Read by its length: what follows on standard input is for the runner.
    Entrypoint: ["python3", "-IS", "-c", `import sys; exec(sys.stdin.buffer.read(${spec.runnerBytes}))`],
    Healthcheck: { Test: ["NONE"] },
    User: "1000:1000",
    WorkingDir: root,
    Hostname: hostname,
    NetworkDisabled: spec.hosts !== null,
    Env: ["HOME=/home/agent", ...(spec.egress === null ? [] : networkEnvironment), ...secretEnvironment(spec.secrets)],
    Labels: labels,
    // The runner is the main process: when the server goes away its input ends, it ends, and the container is removed.
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    OpenStdin: true,
    StdinOnce: true,
    StopTimeout: 1,
    HostConfig: {
      AutoRemove: true,
      // The runner is process 1 and does what an init does; under another's it could be killed from inside.
      Init: false,
      ...Option.match(spec.runtime, { onNone: () => ({}), onSome: (Runtime) => ({ Runtime }) }),
      NetworkMode: "none",
      IpcMode: "private",
      CgroupnsMode: "private",
      Privileged: false,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges", seccomp],
      ReadonlyRootfs: true,
      Tmpfs: {
        "/tmp": `rw,nosuid,nodev,exec,mode=1777,size=${shareOf(memoryBytes, 4, 512)}`,
        "/home/agent": `rw,nosuid,nodev,exec,mode=0700,uid=1000,gid=1000,size=${shareOf(memoryBytes, 4, 1024)}`,
        "/run": `rw,nosuid,nodev,noexec,mode=0755,size=${16 * MiB}`
      },
      ShmSize: shareOf(memoryBytes, 16, 64),
      // An anonymous volume: it goes with the container.
      Mounts: [
        {
          Type: "volume",
          Source: "",
          Target: root,
          VolumeOptions: { NoCopy, Labels: labels, DriverConfig: { Name: "local", Options } }
        },
        // The directory and not the socket: that stays the same when a socket is replaced, and can't be replaced inside.
        ...bind(spec.egress, egressTarget),
        ...bind(spec.hosts, "/etc/hosts")
      ],
      PidsLimit: pids,
      Memory: memoryBytes,
      // As much as memory: none on disk.
      MemorySwap: memoryBytes,
      // Not NanoCpus: that is refused where it asks for more processors than there are.
      CpuPeriod: 100_000,
      CpuQuota: Math.round(cpus * 100_000),
      // A quarter of what others have by default: on a busy machine the server answers first.
      CpuShares: 256,
      Ulimits: [
        { Name: "nofile", Soft: 4096, Hard: 8192 },
        { Name: "core", Soft: 0, Hard: 0 },
        // Of one file.
        { Name: "fsize", Soft: diskBytes, Hard: diskBytes }
      ],
      // Short of memory, the host shall lose a sandbox and not the server.
      OomScoreAdj: 200,
      LogConfig: { Type: "none", Config: {} },
      RestartPolicy: { Name: "no" }
    }
  }
}
