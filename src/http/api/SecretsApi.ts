/**
 * Secrets for tasks: written, named by tasks, never read.
 */
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { StoredSecret } from "../../services/Secrets.ts"
import { Authentication } from "./Authentication.ts"
import { page } from "./Page.ts"
import { secretName } from "./params.ts"
import { problems } from "./Problem.ts"
import { NewSecret } from "./requests.ts"

const list = HttpApiEndpoint.get("list", "/secrets")
  .addSuccess(page(StoredSecret).annotations({ identifier: "SecretPage" }))
  .annotate(OpenApi.Identifier, "listSecrets")
  .annotate(OpenApi.Summary, "The names of the secrets and the hosts that may get them.")

const put = HttpApiEndpoint.put("put")`/secrets/${secretName}`
  .setPayload(NewSecret)
  .addSuccess(HttpApiSchema.NoContent)
  .addError(problems(409, 413, 415, 422, 507))
  .annotate(OpenApi.Identifier, "putSecret")
  .annotate(
    OpenApi.Summary,
    "For tasks that name it. In their sandboxes the variable of this name holds a placeholder; requests to the hosts get the value. It is stored encrypted and never shown again."
  )

const remove = HttpApiEndpoint.del("remove")`/secrets/${secretName}`
  .addSuccess(HttpApiSchema.NoContent)
  .addError(problems(404, 507))
  .annotate(OpenApi.Identifier, "deleteSecret")
  .annotate(
    OpenApi.Summary,
    "Forgets a secret. Runs that have begun go on with it; later ones wait until it is stored again."
  )

export class SecretsApi extends HttpApiGroup.make("secrets")
  .add(list)
  .add(put)
  .add(remove)
  .middleware(Authentication)
  .prefix("/api/v1") {}
