/** What the engine has, asked by other means than the server's own. */
import Docker from "dockerode"
import { readFileSync } from "node:fs"
import { join } from "node:path"

const shared = new Docker()

const labelOf = (dataDir: string) => `errand.server=${readFileSync(join(dataDir, "server-id"), "utf8").trim()}`

/** The tasks of the containers of the server that lives on a data directory, running or not: one entry for each container. */
export const tasksInContainers = async (dataDir: string, docker = shared): Promise<ReadonlyArray<string>> => {
  const found = await docker.listContainers({ all: true, filters: { label: [labelOf(dataDir)] } })
  return found.map(({ Labels }) => Labels["errand.task"] ?? "none")
}

/** How many containers there are of the server that lives on a data directory. */
export const containersOf = async (dataDir: string): Promise<number> => (await tasksInContainers(dataDir)).length

/** Volumes and networks of that server. */
export const leftoversOf = async (dataDir: string, docker = shared): Promise<ReadonlyArray<string>> => {
  const filters = { label: [labelOf(dataDir)] }
  const { Volumes } = await docker.listVolumes({ filters: { label: filters.label } })
  const networks = await docker.listNetworks({ filters })
  return [...(Volumes ?? []).map(({ Name }) => `volume ${Name}`), ...networks.map(({ Name }) => `network ${Name}`)]
}

/** Makes a container as an engine does that is late: for a server that has died since it asked for one. */
export const makeLate = async (dataDir: string, task: string): Promise<void> => {
  const [name = "", server = ""] = labelOf(dataDir).split("=")
  await shared.createContainer({ Image: "errand-sandbox:latest", Labels: { [name]: server, "errand.task": task } })
}
