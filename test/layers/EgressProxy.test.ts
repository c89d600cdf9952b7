/** The ways of many runs: what they leave behind, and what they don't. */
import { FileSystem } from "@effect/platform"
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Scope, Stream } from "effect"
import { join } from "node:path"
import { DataDir } from "../../src/layers/DataDirLock.ts"
import { Ledger, otherHosts } from "../../src/layers/egress/Ledger.ts"
import * as limits from "../../src/layers/egress/limits.ts"
import { Egress } from "../../src/services/Egress.ts"
import { EventBus, taskStream } from "../../src/services/EventBus.ts"
import { NetworkLog } from "../../src/services/NetworkLog.ts"
import type { Network } from "../../src/services/Task.ts"
import * as TaskCommands from "../../src/services/TaskCommands.ts"
import { TaskRepo } from "../../src/services/TaskRepo.ts"

import { egressLayer, openWay, runningTask, TestInternet } from "../support/egress.ts"
import { connectRequest, say } from "../support/egressClient.ts"

const registries: Network = { mode: "registries", hosts: [] }

const knock = (socket: string, host: string) => Effect.promise(() => say(socket, connectRequest(`${host}:443`)))

it.scopedLive("tells each refused host once, and no more of them than a log can bear", () =>
  Effect.gen(function* () {
    const { socket, task } = yield* openWay(registries)
    for (let turn = 0; turn < 3; turn++) yield* knock(socket, "evil.example.com")
    for (let number = 0; number < limits.events + 20; number++) yield* knock(socket, `evil${number}.example.com`)
    const bus = yield* EventBus
    const blocked = yield* bus.follow(taskStream(task.id), 0).pipe(
      Stream.filter(({ event }) => event.type === "network.blocked"),
      Stream.take(limits.events),
      Stream.runCollect
    )
    assert.deepInclude([...blocked][0]?.event, {
      host: "evil.example.com",
      reason: "the host is not on the list of this task"
    })
    yield* Effect.sleep("50 millis")
    assert.isAtMost(yield* bus.head(taskStream(task.id)), limits.events + 2)
  }).pipe(Effect.provide(egressLayer(new TestInternet())))
)

it.scopedLive("counts what was asked for, and leaves nothing but the counts behind", () =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const scope = yield* Scope.make()
    const { socket, task } = yield* Scope.extend(openWay(registries), scope)
    yield* knock(socket, "evil.example.com")
    yield* knock(socket, "evil.example.com")
    yield* Scope.close(scope, Exit.void)
    const [line] = yield* Effect.flatMap(NetworkLog, (log) => log.list(task.id))
    assert.deepInclude(line, { host: "evil.example.com", requests: 2, refusals: 2, sentBytes: 0 })
    assert.isEmpty(yield* files.readDirectory(join((yield* DataDir).path, "egress")))
  }).pipe(Effect.provide(egressLayer(new TestInternet())))
)

it.scopedLive("knows what the owner allowed before it was opened", () => {
  const internet = new TestInternet()
  internet.name("files.example.com", ["10.0.0.1"])
  return Effect.gen(function* () {
    const repo = yield* TaskRepo
    const task = yield* runningTask(registries)
    yield* repo.change(task.id, TaskCommands.allowHost("files.example.com"))
    const way = yield* Effect.flatMap(Egress, (egress) => egress.open({ taskId: task.id, run: 1, network: registries }))
    const { line } = yield* knock(`${way.directory}/egress.sock`, "files.example.com")
    assert.include(line, "not of the public internet")
  }).pipe(Effect.provide(egressLayer(internet)))
})

it("has budgets over all runs of a task, and a bounded list of hosts", () => {
  const at = "2026-01-01T00:00:00.000Z"
  const before = { host: "a.example", requests: 1, refusals: 0, receivedBytes: 0, firstAt: at, lastAt: at }
  const ledger = new Ledger([{ ...before, sentBytes: limits.budget.sentToHost - 1 }])
  assert.isTrue(ledger.sent("a.example", 1))
  assert.isFalse(ledger.sent("a.example", 1))
  assert.isTrue(ledger.sent("b.example", 1))
  for (let number = 0; number < 2 * limits.hosts; number++) ledger.request(`host${number}.example`)
  const traffic = ledger.takeTraffic(at)
  assert.isAtMost(traffic.length, limits.hosts + 1)
  assert.isAbove(traffic.find(({ host }) => host === otherHosts)?.requests ?? 0, limits.hosts - 10)
  assert.isEmpty(ledger.takeTraffic(at))
})
