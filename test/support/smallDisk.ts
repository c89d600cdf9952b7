/** A file system of its own, small enough to be filled. */
import { execFileSync } from "node:child_process"
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const MiB = 2 ** 20

export interface SmallDisk {
  readonly path: string
  /** Writes until nothing more goes in; `clear` takes it away again. */
  readonly fill: () => void
  readonly clear: () => void
  readonly unmount: () => void
}

/** Needs root. The options are those of tmpfs, which sets the number of files as `nr_inodes`. */
export const mountSmallDisk = (mebibytes: number, options = ""): SmallDisk => {
  const path = mkdtempSync(join(tmpdir(), "errand disk "))
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m,mode=0700${options}`, "errand-test", path], {
    stdio: "pipe",
    timeout: 10_000
  })
  const filler = join(path, "filler")
  const append = (bytes: number) => {
    const file = openSync(filler, "a")
    try {
      while (writeSync(file, Buffer.alloc(bytes)) === bytes);
    } catch {
      // Full.
    } finally {
      closeSync(file)
    }
  }
  return {
    path,
    fill: () => {
      for (const bytes of [MiB, 4096]) append(bytes)
    },
    clear: () => rmSync(filler, { force: true }),
    unmount: () => {
      execFileSync("umount", ["-l", path], { stdio: "pipe", timeout: 10_000 })
      rmSync(path, { recursive: true, force: true })
    }
  }
}
