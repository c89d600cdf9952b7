/** Sandboxes on the real engine, and a look at them from outside. */
import Docker from "dockerode"
import { Effect, Layer } from "effect"
import type { Settings } from "../../src/services/AppConfig.ts"
import * as AppConfigEnv from "../../src/layers/AppConfigEnv.ts"
import { DataDir } from "../../src/layers/DataDirLock.ts"
import * as EgressMemory from "../../src/layers/EgressMemory.ts"
import * as IdsUlid from "../../src/layers/IdsUlid.ts"
import * as SandboxDocker from "../../src/layers/SandboxDocker.ts"
import { label } from "../../src/sandbox/containerSpec.ts"
import { tmpdir } from "node:os"
import { join } from "node:path"

export const docker = new Docker()

export const limits: Settings["sandbox"]["limits"] = {
  memoryBytes: 512 * 2 ** 20,
  cpus: 1.5,
  pids: 128,
  diskBytes: 2 ** 30
}

/** A server of its own for each test file, so that one sweeps up nothing of another. */
export const dockerSandbox = (
  serverId: string,
  changes: Partial<Settings["sandbox"]> = {},
  options: SandboxDocker.Options = {}
) => Layer.provide(dockerSandboxWithEgress(serverId, changes, options), EgressMemory.layer)

/** The same, with a way out that the test provides. */
export const dockerSandboxWithEgress = (
  serverId: string,
  changes: Partial<Settings["sandbox"]> = {},
  options: SandboxDocker.Options = {}
) =>
  SandboxDocker.layerWith(options).pipe(
    Layer.provide([
      Layer.succeed(DataDir, { path: join(tmpdir(), `errand-${serverId}`), serverId }),
      AppConfigEnv.layerWith({ sandbox: { limits, ...changes } }),
      IdsUlid.layer
    ])
  )

/** All containers of a server, running or not. */
export const containersOf = (serverId: string) =>
  Effect.promise(() => docker.listContainers({ all: true, filters: { label: [`${label.server}=${serverId}`] } }))

export const volumesOf = (serverId: string) =>
  Effect.map(
    Effect.promise(() => docker.listVolumes({ filters: { label: [`${label.server}=${serverId}`] } })),
    ({ Volumes }) => (Volumes ?? []).map(({ Name }) => Name)
  )
