/**
 * How big this machine is, and what one sandbox may take of it unless a setting says otherwise.
 *
 * Owns: measuring the machine, and the arithmetic from its size to default limits.
 * Does not own: enforcing limits (`sandbox/`).
 */
import { Effect } from "effect"
import { existsSync, statfsSync } from "node:fs"
import { availableParallelism, totalmem } from "node:os"
import { dirname } from "node:path"
import type { SandboxLimits } from "../services/AppConfig.ts"

export interface HostSize {
  readonly memoryBytes: number
  readonly cpus: number
  /** The whole file system that holds the data directory. */
  readonly diskBytes: number
}

const MiB = 2 ** 20
const GiB = 2 ** 30

const clamp = (least: number, value: number, most: number): number => Math.min(most, Math.max(least, value))

/** The directory itself, or the nearest one above it: the data directory may not have been made yet. */
const nearestExisting = (path: string): string => {
  let directory = path
  while (!existsSync(directory) && dirname(directory) !== directory) directory = dirname(directory)
  return directory
}

export const measureHost = (dataDir: string): Effect.Effect<HostSize> =>
  Effect.sync(() => {
    const fileSystem = statfsSync(nearestExisting(dataDir))
    return {
      memoryBytes: totalmem(),
      cpus: availableParallelism(),
      diskBytes: fileSystem.blocks * fileSystem.bsize
    }
  })

/** Two sandboxes at their limit leave room for the server and the engine; a server of 1 GB can run one. */
export const defaultSandboxLimits = (host: HostSize): SandboxLimits => ({
  memoryBytes: clamp(512 * MiB, Math.floor((host.memoryBytes - 512 * MiB) / 2 / MiB) * MiB, 4 * GiB),
  cpus: clamp(1, host.cpus - 0.5, 4),
  pids: 512,
  diskBytes: clamp(GiB, Math.floor(host.diskBytes / 4 / MiB) * MiB, 10 * GiB)
})

export const defaultDiskFloor = (host: HostSize): number => clamp(MiB, Math.floor(host.diskBytes / 20), GiB)
