/**
 * What a sandbox is to the engine: every wall around the code inside, in one place.
 *
 * Owns: all options of the container.
 * Does not own: the image (`image/Dockerfile`), making and removing (`container.ts`).
 */
import type { ContainerCreateOptions } from "dockerode"
import { Option } from "effect"
import type { SandboxLimits } from "../services/AppConfig.ts"
import type { TaskId } from "../services/Ids.ts"

export const label = { server: "errand.server", task: "errand.task", run: "errand.run" } as const

/** The directory of the work tree inside. */
export const root = "/workspace"

export interface ContainerSpec {
  readonly name: string
  readonly image: string
  readonly runtime: Option.Option<string>
  readonly limits: SandboxLimits
  readonly serverId: string
  readonly taskId: TaskId
  readonly run: number
  /** Bytes of the runner, which comes over standard input: as an argument it would fill every listing of processes. */
  readonly runnerBytes: number
}

const MiB = 2 ** 20

/** Files in memory count as memory: full of them, there is still room to run something. */
const shareOf = (memoryBytes: number, part: number, mostMiB: number) =>
  Math.min(mostMiB * MiB, Math.floor(memoryBytes / part))

export const containerOptions = (spec: ContainerSpec): ContainerCreateOptions => {
  const { cpus, diskBytes, memoryBytes, pids } = spec.limits
  const labels = { [label.server]: spec.serverId, [label.task]: spec.taskId, [label.run]: String(spec.run) }
  return {
    name: spec.name,
    Image: spec.image,
    // Read by its length: what follows on standard input is for the runner.
    Entrypoint: ["python3", "-IS", "-c", `import sys; exec(sys.stdin.buffer.read(${spec.runnerBytes}))`],
    Healthcheck: { Test: ["NONE"] },
    User: "1000:1000",
    WorkingDir: root,
    Hostname: "sandbox",
    Env: ["HOME=/home/agent"],
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
      ...Option.match(spec.runtime, { onNone: () => ({}), onSome: (Runtime) => ({ Runtime }) }),
      NetworkMode: "none",
      IpcMode: "private",
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      ReadonlyRootfs: true,
      Tmpfs: {
        "/tmp": `rw,nosuid,nodev,exec,mode=1777,size=${shareOf(memoryBytes, 4, 512)}`,
        "/home/agent": `rw,nosuid,nodev,exec,mode=0700,uid=1000,gid=1000,size=${shareOf(memoryBytes, 4, 1024)}`,
        "/run": `rw,nosuid,nodev,noexec,mode=0755,size=${16 * MiB}`
      },
      ShmSize: shareOf(memoryBytes, 16, 64),
      // An anonymous volume: it takes its owner from the image and goes with the container.
      Mounts: [
        {
          Type: "volume",
          Source: "",
          Target: root,
          VolumeOptions: { NoCopy: false, Labels: labels, DriverConfig: { Name: "local", Options: {} } }
        }
      ],
      PidsLimit: pids,
      Memory: memoryBytes,
      // As much as memory: none on disk.
      MemorySwap: memoryBytes,
      // Not NanoCpus: that is refused where it asks for more processors than there are.
      CpuPeriod: 100_000,
      CpuQuota: Math.round(cpus * 100_000),
      Ulimits: [
        { Name: "nofile", Soft: 4096, Hard: 8192 },
        { Name: "core", Soft: 0, Hard: 0 },
        // Of one file; no engine can limit a volume on ext4.
        { Name: "fsize", Soft: diskBytes, Hard: diskBytes }
      ],
      // Short of memory, the host shall lose a sandbox and not the server.
      OomScoreAdj: 200,
      LogConfig: { Type: "none", Config: {} },
      RestartPolicy: { Name: "no" }
    }
  }
}
