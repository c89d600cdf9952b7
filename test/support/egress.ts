/** The proxy with an internet of its own: names lead where a test says, and addresses to servers on loopback. */
import { NodeFileSystem } from "@effect/platform-node"
import { FileSystem } from "@effect/platform"
import { Effect, Layer } from "effect"
import { connect, type Socket } from "node:net"
import * as AppConfigEnv from "../../src/layers/AppConfigEnv.ts"
import { DataDir } from "../../src/layers/DataDirLock.ts"
import { Refused } from "../../src/layers/egress/Refused.ts"
import type { Outside } from "../../src/layers/egress/Outside.ts"
import * as EgressProxy from "../../src/layers/EgressProxy.ts"
import * as IdsUlid from "../../src/layers/IdsUlid.ts"
import * as NetworkLogMemory from "../../src/layers/NetworkLogMemory.ts"
import { Egress } from "../../src/services/Egress.ts"
import { publicRegistries, type Registries, type RegistryName } from "../../src/services/Registries.ts"
import { Ids } from "../../src/services/Ids.ts"
import type { Network, TaskDraft } from "../../src/services/Task.ts"
import { TaskRepo } from "../../src/services/TaskRepo.ts"
import { draftOf, start, these } from "./someTasks.ts"
import { People, tasksMemory } from "./storageLayers.ts"

/** What the proxy has looked up and dialled. */
export class TestInternet implements Outside {
  /** One entry for each lookup to come; the last one stays. */
  readonly names = new Map<string, Array<ReadonlyArray<string>>>()
  readonly lookedUp: Array<string> = []
  readonly dialled: Array<string> = []
  /** The port on loopback that every public address leads to. */
  port = 0

  name(name: string, ...answers: ReadonlyArray<ReadonlyArray<string>>): void {
    this.names.set(name, [...answers])
  }

  readonly addresses = (name: string) =>
    Effect.sync(() => {
      this.lookedUp.push(name)
      const answers = this.names.get(name) ?? []
      return (answers.length > 1 ? answers.shift() : answers[0]) ?? []
    })

  readonly connect = (host: string, addresses: ReadonlyArray<string>, port: number) =>
    Effect.acquireRelease(
      Effect.async<Socket, Refused>((resume) => {
        this.dialled.push(`${addresses.join(",")}:${port}`)
        const socket = connect({ host: "127.0.0.1", port: this.port, allowHalfOpen: true })
        socket.on("error", ({ message }) =>
          resume(new Refused({ status: 502, host, reason: message, remedy: "None." }))
        )
        socket.on("connect", () => resume(Effect.succeed(socket)))
      }),
      (socket) => Effect.sync(() => socket.destroy())
    )
}

/** Registries of a test, named as ERRAND_REGISTRIES names them. */
export const registriesAt = (urls: Partial<Record<RegistryName, string>>): Registries => ({
  ...publicRegistries,
  ...Object.fromEntries(Object.entries(urls).map(([name, url]) => [name, { url, trusted: true }]))
})

const dataDir = Layer.scoped(
  DataDir,
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const path = yield* Effect.orDie(files.makeTempDirectoryScoped({ prefix: "errand-egress-" }))
    return { path, serverId: "test-egress" }
  })
)

/** Egress and everything under it; storage in memory. */
export const egressLayer = (outside: Outside, registries: Registries = publicRegistries) =>
  EgressProxy.layerWith(outside).pipe(
    Layer.provideMerge(NetworkLogMemory.layer),
    Layer.provideMerge(tasksMemory),
    Layer.provideMerge(Layer.mergeAll(dataDir, AppConfigEnv.layerWith({ registries }), IdsUlid.layer)),
    Layer.provideMerge(NodeFileSystem.layer)
  )

/** A task that runs, so that its run may write. */
export const runningTask = Effect.fnUntraced(function* (network: Network, changes: Partial<TaskDraft> = {}) {
  const repo = yield* TaskRepo
  const people = yield* People
  const ids = yield* Ids
  const { task } = yield* repo.create(draftOf(yield* people.newcomer, { id: yield* ids.task, network, ...changes }))
  yield* repo.change(task.id, these(start()))
  return task
})

/** A running task with its way open; gives the path of the socket. */
export const openWay = Effect.fnUntraced(function* (network: Network) {
  const task = yield* runningTask(network)
  const way = yield* Effect.flatMap(Egress, (egress) => egress.open({ taskId: task.id, run: 1, network }))
  return { task, way, socket: `${way.directory}/egress.sock` }
})
