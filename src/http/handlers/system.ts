/**
 * The server itself: alive, ready, measured, described.
 */
import { HttpApiBuilder, HttpServerRequest, HttpServerResponse, OpenApi } from "@effect/platform"
import { DateTime, Effect, Metric, Option } from "effect"
import { AppConfig } from "../../services/AppConfig.ts"
import { Backups } from "../../services/Backups.ts"
import { ClaudeClient } from "../../services/ClaudeClient.ts"
import { DiskSpace } from "../../services/DiskSpace.ts"
import { Sandbox } from "../../services/Sandbox.ts"
import { Problem } from "../api/Problem.ts"
import { type NotReady } from "../api/SystemApi.ts"
import { version } from "../api/version.ts"
import { Api } from "../Api.ts"
import { makeAuthenticated } from "../authentication.ts"
import * as HostGuard from "../hostGuard.ts"
import { makeGauges } from "../gauges.ts"
import { render } from "../prometheus.ts"

/** An engine that hangs is not ready, and shall not hang the question. */
const patience = "2 seconds"

const ownersOnly = Problem.of("scope_missing", "Metrics are for owners, or for programs on this machine.")

const modelMissing = "No key is set: ANTHROPIC_API_KEY. New tasks are refused."

/** Made when somebody asks: the start need not wait the 30 ms that it takes. */
const describeApi = () => JSON.stringify(OpenApi.fromApi(Api))

const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB free`

const makeBackupState = Effect.map(Backups, ({ lastProof, replication }) =>
  Effect.gen(function* () {
    const now = yield* DateTime.now
    const proof = yield* lastProof
    const known = yield* replication
    return {
      replicating: Option.exists(known, ({ running }) => running),
      lagSeconds: Option.getOrNull(Option.flatMap(known, ({ lagSeconds }) => lagSeconds)),
      provenAt: Option.getOrNull(Option.map(proof, ({ provenAt }) => provenAt)),
      proofAgeSeconds: Option.getOrNull(
        Option.map(proof, ({ provenAt }) => DateTime.distance(DateTime.unsafeMake(provenAt), now) / 1000)
      ),
      alarm: Option.getOrNull(Option.flatMap(known, ({ alarm }) => alarm))
    }
  })
)

const makeReadiness = Effect.gen(function* () {
  const sandbox = yield* Sandbox
  const claude = yield* ClaudeClient
  const disk = yield* DiskSpace
  const backup = yield* makeBackupState
  const engine = sandbox.health.pipe(
    Effect.map(({ ready, detail }) => ({ ready, detail })),
    Effect.disconnect,
    Effect.timeoutTo({
      duration: patience,
      onSuccess: (check) => check,
      onTimeout: () => ({ ready: false, detail: "The engine does not answer." })
    })
  )
  const model = Effect.map(claude.configured, (ready) => ({
    ready,
    detail: ready ? "A model is configured." : modelMissing
  }))
  const storage = Effect.map(Effect.all([disk.free, disk.low]), ([free, low]) => ({
    ready: !low,
    detail: Option.match(free, {
      onNone: () => "The free space is not known.",
      onSome: (freeBytes) =>
        low ? `${megabytes(freeBytes)}: new tasks are refused, and running ones pause.` : megabytes(freeBytes)
    })
  }))
  const checks = Effect.all({ sandbox: engine, model, storage }, { concurrency: "unbounded" })
  return yield* Effect.cachedWithTTL(
    Effect.map(Effect.all([checks, backup]), ([checks, backup]): typeof NotReady.Type => ({
      ready: Object.values(checks).every(({ ready }) => ready),
      checks,
      backup
    })),
    "1 second"
  )
})

export const layer = HttpApiBuilder.group(Api, "system", (handlers) =>
  Effect.gen(function* () {
    const authenticated = yield* makeAuthenticated
    const guard = HostGuard.make(yield* AppConfig)
    const readiness = yield* makeReadiness
    const gauges = yield* makeGauges
    const document = yield* Effect.cached(Effect.sync(describeApi))

    /** A program on this machine, under a name that leads nowhere else, or an owner. */
    const mayMeasure = Effect.gen(function* () {
      const { headers, remoteAddress } = yield* HttpServerRequest.HttpServerRequest
      if (HostGuard.isDirectFromLoopback(remoteAddress, headers) && guard.isKnownHost(headers["host"])) return
      const { user } = yield* authenticated
      if (user.role !== "owner") return yield* ownersOnly
    })

    return handlers
      .handle("health", () => Effect.succeed({ status: "ok" as const, version }))
      .handle("readiness", () =>
        Effect.gen(function* () {
          const state = yield* readiness
          return state.ready ? state : yield* Effect.orDie(HttpServerResponse.json(state, { status: 503 }))
        })
      )
      .handle("metrics", () =>
        Effect.gen(function* () {
          yield* mayMeasure
          yield* gauges
          return HttpServerResponse.text(render(yield* Metric.snapshot), {
            contentType: "text/plain; version=0.0.4; charset=utf-8"
          })
        })
      )
      .handle("openapi", () =>
        Effect.map(document, (text) => HttpServerResponse.text(text, { contentType: "application/json" }))
      )
  })
)
