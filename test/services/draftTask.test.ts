import { describe, expect, it } from "@effect/vitest"
import { Either, Schema } from "effect"
import { type Circumstances, draftTask } from "../../src/services/draftTask.ts"
import { TaskId, UserId } from "../../src/services/Ids.ts"
import type { NewTask } from "../../src/services/NewTask.ts"
import { settings } from "../support/settings.ts"

const circumstances: Circumstances = {
  id: Schema.decodeSync(TaskId)("task_01M7WH3GHXB50V0FM1DHZNPP1J"),
  owner: Schema.decodeSync(UserId)("user_01M7WH3GHXB50V0FM1DHZNPP1J"),
  schedule: null,
  now: "2026-11-20T12:00:00.000Z",
  settings: { ...settings, sandbox: { ...settings.sandbox, defaultNetwork: "registries" } },
  networkModes: ["none", "registries"],
  prices: { "claude-test": { input: 1, output: 1, cacheRead: 1, cacheWrite: 1 } },
  secrets: []
}

const least: NewTask = { repository: { url: "https://git.example/team/project" }, prompt: "Fix it.\nPlease." }

const draft = (more: Partial<NewTask>, changes: Partial<Circumstances> = {}) =>
  draftTask({ ...least, ...more }, { ...circumstances, ...changes })

const refusal = (result: ReturnType<typeof draftTask>) =>
  Either.match(result, {
    onLeft: (error) => (error._tag === "TaskRefused" ? [error.code, error.path, error.detail] : [error._tag]),
    onRight: () => []
  })

describe("a task from a request", () => {
  it("gets every default of the contract", () => {
    expect(Either.getOrThrow(draft({}))).toEqual({
      id: circumstances.id,
      owner: circumstances.owner,
      scheduleId: null,
      title: "Fix it.",
      prompt: "Fix it.\nPlease.",
      repository: { url: "https://git.example/team/project", ref: null },
      branch: "errand/fix-it-dhznpp1j",
      delivery: "branch",
      limits: { maxTurns: 100, maxCostUsd: 5, maxDurationSeconds: 7200 },
      network: { mode: "registries", hosts: [] },
      approvals: "never",
      model: "claude-test",
      priority: 0,
      tags: [],
      secrets: [],
      startAt: null,
      expiresAt: null
    })
  })

  it("keeps what was asked for", () => {
    const { limits, network, tags, title } = Either.getOrThrow(
      draft({ title: "Mend", limits: { maxTurns: 3 }, network: { mode: "none" }, tags: ["a", "b", "a"] })
    )
    expect({ limits, network, tags, title }).toEqual({
      limits: { maxTurns: 3, maxCostUsd: 5, maxDurationSeconds: 7200 },
      network: { mode: "none", hosts: [] },
      tags: ["a", "b"],
      title: "Mend"
    })
  })

  it("refuses a repository that is not allowed", () => {
    expect(refusal(draft({ repository: { url: "file:///etc" } }))).toEqual(["RepositoryUrlRefused"])
  })

  it("refuses a network that can't be given, asked for or by default, and names those that can", () => {
    const [code, path, detail] = refusal(draft({ network: { mode: "open" } }))
    expect([code, path]).toEqual(["network_mode_unavailable", "network.mode"])
    expect(detail).toContain("none, registries")
    expect(refusal(draft({}, { networkModes: ["open"] }))[0]).toBe("network_mode_unavailable")
  })

  it("refuses hosts that the mode would not use", () => {
    expect(refusal(draft({ network: { mode: "none", hosts: ["a.example"] } })).slice(0, 2)).toEqual([
      "invalid_request",
      "network.hosts"
    ])
  })

  it("refuses a model whose cost can't be counted, with the setting that helps", () => {
    const [code, path, detail] = refusal(draft({ model: "mystery" }))
    expect([code, path]).toEqual(["model_price_unknown", "model"])
    expect(detail).toContain("ERRAND_PRICES")
  })

  it("refuses pull requests and secrets as long as there are none", () => {
    expect(refusal(draft({ delivery: "pull_request" }))[0]).toBe("delivery_unavailable")
    expect(refusal(draft({ secrets: ["npm"] }))[0]).toBe("secret_unknown")
  })

  it("refuses a task that is over before it begins", () => {
    expect(refusal(draft({ expiresAt: "2026-11-20T11:59:59.000Z" }))[1]).toBe("expiresAt")
    expect(refusal(draft({ startAt: "2026-11-21T00:00:00.000Z", expiresAt: "2026-11-20T13:00:00.000Z" }))[1]).toBe(
      "expiresAt"
    )
    expect(Either.isRight(draft({ expiresAt: "2026-11-20T12:00:01.000Z" }))).toBe(true)
  })
})
