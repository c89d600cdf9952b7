/**
 * What a task may reach on the network, and what it asked for.
 */
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { HostName } from "../../services/HostName.ts"
import { HostTraffic } from "../../services/NetworkLog.ts"
import { Authentication } from "./Authentication.ts"
import { page } from "./Page.ts"
import { taskId } from "./params.ts"
import { problems } from "./Problem.ts"
import { TaskView } from "./TaskView.ts"

export const NewHost = Schema.Struct({ host: HostName }).annotations({ identifier: "NewHost" })

const allow = HttpApiEndpoint.post("allow")`/tasks/${taskId}/network/hosts`
  .setPayload(NewHost)
  .addSuccess(TaskView)
  .addError(problems(404, 409, 413, 415, 422, 507))
  .annotate(OpenApi.Identifier, "allowHost")
  .annotate(
    OpenApi.Summary,
    "Allows one more host for this task, at once and for its later runs; `registries` becomes `allowlist`."
  )

const hosts = HttpApiEndpoint.get("hosts")`/tasks/${taskId}/network/hosts`
  .addSuccess(page(HostTraffic).annotations({ identifier: "HostTrafficPage" }))
  .addError(problems(404))
  .annotate(OpenApi.Identifier, "listHosts")
  .annotate(
    OpenApi.Summary,
    "Every host that the task's sandboxes asked for, the last one first; what is beyond 200 is summed up as `(others)`."
  )

export class NetworkApi extends HttpApiGroup.make("network")
  .add(allow)
  .add(hosts)
  .middleware(Authentication)
  .prefix("/api/v1") {}
