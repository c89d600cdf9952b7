/** Processor time and memory of processes, as Linux keeps them in /proc. */
import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"

const tickMs = 1000 / Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }))

/** Milliseconds of processor time, user and system, of a process and of those of its children that have ended. */
export const cpuMs = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  // The name of the program, in parentheses, may hold spaces: fields count from behind it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return [11, 12, 13, 14].reduce((total, field) => total + Number(fields[field]) * tickMs, 0)
}

const memoryMb = (pid: number, field: "VmRSS" | "VmHWM"): number => {
  const line = readFileSync(`/proc/${pid}/status`, "utf8").match(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m"))
  return (Number(line?.[1]) * 1024) / 1e6
}

/** Resident memory now, in millions of bytes. */
export const residentMb = (pid: number): number => memoryMb(pid, "VmRSS")

/** The most resident memory since the last `resetPeak`, in millions of bytes. */
export const peakMb = (pid: number): number => memoryMb(pid, "VmHWM")

export const resetPeak = (pid: number): void => writeFileSync(`/proc/${pid}/clear_refs`, "5")

const nameOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim()
  } catch {
    return ""
  }
}

const enginePrograms = ["dockerd", "containerd"]

/** The processes of the container engine on this machine; none when it runs elsewhere. */
export const engineProcesses = (): ReadonlyArray<number> =>
  readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && enginePrograms.includes(nameOf(pid)))
