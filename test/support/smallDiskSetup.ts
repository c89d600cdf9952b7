import type { TestProject } from "vitest/node"
import { mountSmallDisk } from "./smallDisk.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** Why tests on a file system of their own can't run; empty when one can be mounted. */
    readonly missingSmallDisk: string
  }
}

const missingSmallDisk = () => {
  try {
    mountSmallDisk(1).unmount()
    return ""
  } catch (error) {
    const reason = error instanceof Error ? error.message.trim().replaceAll(/\s+/g, " ") : String(error)
    return `no file system can be mounted (${reason})`
  }
}

/** Tries once for all test files of a project. */
export default function setup(project: TestProject) {
  project.provide("missingSmallDisk", missingSmallDisk())
}
