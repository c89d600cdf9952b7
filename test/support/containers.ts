/** What the engine has, asked by other means than the server's own. */
import Docker from "dockerode"
import { readFileSync } from "node:fs"
import { join } from "node:path"

const docker = new Docker()

/** Containers of the server that lives on a data directory, running or not. */
export const containersOf = async (dataDir: string): Promise<number> => {
  const serverId = readFileSync(join(dataDir, "server-id"), "utf8").trim()
  const found = await docker.listContainers({ all: true, filters: { label: [`errand.server=${serverId}`] } })
  return found.length
}
