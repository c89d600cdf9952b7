/**
 * The server itself: alive, ready, measured, described.
 */
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { Timestamp } from "../../services/Task.ts"
import { problems } from "./Problem.ts"

const Health = Schema.Struct({ status: Schema.Literal("ok"), version: Schema.String }).annotations({
  identifier: "Health"
})

const Check = Schema.Struct({ ready: Schema.Boolean, detail: Schema.String }).annotations({ identifier: "Check" })

/** What a loss of this machine would cost; it does not make the server less ready. */
const Backup = Schema.Struct({
  replicating: Schema.Boolean,
  /** Null where nothing replicates, or its version does not tell. */
  lagSeconds: Schema.NullOr(Schema.Number),
  /** When a restore was last proven to work, and how old that proof is. */
  provenAt: Schema.NullOr(Timestamp),
  proofAgeSeconds: Schema.NullOr(Schema.Number),
  /** What an operator must look after. */
  alarm: Schema.NullOr(Schema.String)
}).annotations({ identifier: "Backup" })

/** Ready means: a task that comes in now can run. Otherwise tasks wait in the queue, or are refused. */
export const Readiness = Schema.Struct({
  ready: Schema.Boolean,
  checks: Schema.Struct({ sandbox: Check, model: Check, storage: Check }),
  backup: Backup
}).annotations({ identifier: "Readiness" })

export const NotReady = Readiness.annotations(
  HttpApiSchema.annotations({ status: 503, identifier: "Readiness", description: "Not ready" })
)

const health = HttpApiEndpoint.get("health", "/healthz")
  .addSuccess(Health)
  .annotate(OpenApi.Identifier, "getHealth")
  .annotate(OpenApi.Summary, "The server answers.")

const readiness = HttpApiEndpoint.get("readiness", "/readyz")
  .addSuccess(Readiness)
  .addSuccess(NotReady)
  .annotate(OpenApi.Identifier, "getReadiness")
  .annotate(OpenApi.Summary, "Whether tasks can run now, and what is missing.")

const metrics = HttpApiEndpoint.get("metrics", "/metrics")
  .addSuccess(HttpApiSchema.Text({ contentType: "text/plain; version=0.0.4; charset=utf-8" }))
  .addError(problems(401, 403))
  .annotate(OpenApi.Identifier, "getMetrics")
  .annotate(OpenApi.Summary, "Prometheus text, for an owner's token or from the machine itself.")

const openapi = HttpApiEndpoint.get("openapi", "/api/v1/openapi.json")
  .addSuccess(Schema.Unknown)
  .annotate(OpenApi.Identifier, "getOpenApi")
  .annotate(OpenApi.Summary, "This document.")

export class SystemApi extends HttpApiGroup.make("system").add(health).add(readiness).add(metrics).add(openapi) {}
