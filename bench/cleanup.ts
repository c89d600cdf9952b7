/** Whatever a run has opened is closed at its end, however it ends. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import type { ChildProcess } from "node:child_process"
import Docker from "dockerode"

const graceMs = 15_000
const openProcesses = new Set<ChildProcess>()
const openDirectories = new Set<string>()
const openLabels = new Set<string>()
let closing = false

/** Sees to it that a process that was started also ends. */
export const owned = <Child extends ChildProcess>(child: Child): Child => {
  openProcesses.add(child)
  child.once("exit", () => openProcesses.delete(child))
  // What was on its way when the end came is not wanted any more.
  if (closing) child.kill("SIGKILL")
  return child
}

/** A new directory of its own. */
export const temporaryDirectory = async (): Promise<string> => {
  const path = await mkdtemp(join(tmpdir(), "errand-bench-"))
  openDirectories.add(path)
  return path
}

/** Containers with this label (`name=value`) are of this run. */
export const ownContainers = (label: string): void => {
  openLabels.add(label)
}

/** Ends a process, first with SIGTERM and then by force; returns when it is gone. */
export const stopProcess = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    const timer = setTimeout(() => child.kill("SIGKILL"), graceMs)
    child.once("exit", () => {
      clearTimeout(timer)
      resolve()
    })
    child.kill("SIGTERM")
  })

const removeContainers = async (label: string): Promise<void> => {
  const docker = new Docker()
  const left = await docker.listContainers({ all: true, filters: { label: [label] } })
  await Promise.allSettled(left.map(({ Id }) => docker.getContainer(Id).remove({ force: true, v: true })))
}

/** A container that was being made when its process ended appears a moment later. */
const latecomersMs = 1_000

/** Ends every process, and then removes every container and directory of this run. */
export const closeAll = async (): Promise<void> => {
  closing = true
  await Promise.all([...openProcesses].map(stopProcess))
  await Promise.allSettled([...openLabels].map(removeContainers))
  await sleep(latecomersMs)
  await Promise.allSettled([
    ...[...openLabels].map(removeContainers),
    ...[...openDirectories].map((path) => rm(path, { recursive: true, force: true }))
  ])
}
