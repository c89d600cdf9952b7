import Docker from "dockerode"
import type { TestProject } from "vitest/node"

declare module "vitest" {
  interface ProvidedContext {
    /** Why tests on a real Docker engine can't run; empty when an engine answers. */
    readonly missingEngine: string
  }
}

const answerWithinMs = 10_000

const missingEngine = async () => {
  const place = process.env["DOCKER_HOST"] ?? "/var/run/docker.sock"
  try {
    await new Docker({ timeout: answerWithinMs }).ping()
    return ""
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return `no Docker engine answers at ${place} (${reason})`
  }
}

/** Asks the engine once for all test files of a project. */
export default async function setup(project: TestProject) {
  project.provide("missingEngine", await missingEngine())
}
