/**
 * The HTTP API: every route with its requests, answers and problems.
 *
 * A client needs nothing else: `HttpApiClient.make(Api)`.
 */
import { HttpApi, OpenApi } from "@effect/platform"
import { AccountApi } from "./api/AccountApi.ts"
import { AuthApi } from "./api/AuthApi.ts"
import { ConversationApi } from "./api/ConversationApi.ts"
import { tidy } from "./api/openapi.ts"
import { MoneyApi } from "./api/MoneyApi.ts"
import { NetworkApi } from "./api/NetworkApi.ts"
import { PairingApi } from "./api/PairingApi.ts"
import { problems } from "./api/Problem.ts"
import { PullRequestApi } from "./api/PullRequestApi.ts"
import { ResultsApi } from "./api/ResultsApi.ts"
import { ClientFrame, ServerFrame } from "./api/StreamFrames.ts"
import { SchedulesApi } from "./api/SchedulesApi.ts"
import { SecretsApi } from "./api/SecretsApi.ts"
import { SystemApi } from "./api/SystemApi.ts"
import { TasksApi } from "./api/TasksApi.ts"
import { UsersApi } from "./api/UsersApi.ts"
import { version } from "./api/version.ts"

const description = `Errand does coding errands: hand it a repository and a prompt, get a branch back.

Requests and answers are JSON; errors are problem details (RFC 9457) with a stable \`code\`. Every POST takes an
\`Idempotency-Key\`: the same key with the same body gives the first answer again, with \`Idempotency-Replayed: true\`.
Unknown properties and parameters are refused. Live news comes over the WebSocket \`/api/v1/stream\`, in the frames
\`ClientFrame\` and \`ServerFrame\`.`

export class Api extends HttpApi.make("errand")
  .add(TasksApi)
  .add(ConversationApi)
  .add(ResultsApi)
  .add(PullRequestApi)
  .add(SchedulesApi)
  .add(AccountApi)
  .add(AuthApi)
  .add(PairingApi)
  .add(UsersApi)
  .add(SecretsApi)
  .add(MoneyApi)
  .add(NetworkApi)
  .add(SystemApi)
  .addError(problems(500, 503))
  .annotateContext(
    OpenApi.annotations({
      title: "Errand",
      version,
      description,
      license: { name: "MIT", url: "https://opensource.org/license/mit" },
      servers: [{ url: "/" }],
      transform: tidy
    })
  )
  .annotate(HttpApi.AdditionalSchemas, [ClientFrame, ServerFrame]) {}
