/**
 * From what a client asks for to what a task is made of.
 *
 * Owns: defaults, and the refusal of what this server can't give. Nothing is widened or narrowed in silence.
 * Does not own: the shape of the request (`api/requests.ts`), storing the task (`TaskRepo`).
 */
import { Array, Either, Option } from "effect"
import type { Settings } from "../services/AppConfig.ts"
import type { TaskId, UserId } from "../services/Ids.ts"
import { type PriceTable, priceOf } from "../services/Pricing.ts"
import { parse, type RepositoryUrlRefused } from "../services/RepositoryUrl.ts"
import { defaultLimits, type Network, type NetworkMode, type TaskDraft, type Timestamp } from "../services/Task.ts"
import { Problem } from "./api/Problem.ts"
import type { NewTask } from "./api/requests.ts"
import { branchName, defaultTitle } from "./taskNames.ts"

export interface Circumstances {
  readonly id: TaskId
  readonly owner: UserId
  readonly now: Timestamp
  readonly settings: Settings
  readonly networkModes: ReadonlyArray<NetworkMode>
  readonly prices: PriceTable
}

const invalid = (path: string, message: string) =>
  Either.left(Problem.of("invalid_request", `${path} ${message}.`, { errors: [{ path, message }] }))

const repository = (request: NewTask, { settings }: Circumstances) =>
  Either.map(
    parse(request.repository.url, {
      trustedHosts: settings.trustedGitHosts,
      allowLocal: settings.allowLocalRepositories
    }),
    ({ url }) => ({ url, ref: request.repository.ref ?? null })
  )

const network = (request: NewTask, { settings, networkModes }: Circumstances): Either.Either<Network, Problem> => {
  const { mode, hosts = [] } = request.network ?? { mode: settings.sandbox.defaultNetwork }
  if (hosts.length > 0 && mode !== "allowlist") return invalid("network.hosts", `go with the mode "allowlist" only`)
  if (networkModes.includes(mode)) return Either.right({ mode, hosts: Array.dedupe(hosts) })
  const given = networkModes.join(", ")
  return Either.left(
    Problem.of(
      "network_mode_unavailable",
      `The network mode "${mode}" is not available on this server. Ask for one of: ${given}.`,
      { errors: [{ path: "network.mode", message: `must be one of ${given}` }] }
    )
  )
}

/** The limit in dollars only holds when every answer of the model has a price. */
const model = (request: NewTask, { settings, prices }: Circumstances): Either.Either<string, Problem> => {
  const name = request.model ?? settings.model.name
  return Option.match(priceOf(prices, name), {
    onNone: () =>
      Either.left(
        Problem.of(
          "model_price_unknown",
          `Errand knows no price for the model "${name}", so it can't hold the limit in dollars. Add it to the file that ERRAND_PRICES names.`,
          { errors: [{ path: "model", message: "has no known price" }] }
        )
      ),
    onSome: () => Either.right(name)
  })
}

const delivery = (request: NewTask) =>
  request.delivery === "pull_request"
    ? Either.left(
        Problem.of(
          "delivery_unavailable",
          `No forge is configured on this server, so it can't open pull requests. Use "branch" or "none".`,
          { errors: [{ path: "delivery", message: `must be "branch" or "none"` }] }
        )
      )
    : Either.right(request.delivery ?? "branch")

const secrets = (request: NewTask): Either.Either<ReadonlyArray<string>, Problem> => {
  const [first] = request.secrets ?? []
  return first === undefined
    ? Either.right([])
    : Either.left(
        Problem.of("secret_unknown", `There is no secret "${first}".`, {
          errors: [{ path: "secrets.0", message: "is not the name of a secret" }]
        })
      )
}

const times = (request: NewTask, { now }: Circumstances) => {
  const startAt = request.startAt ?? null
  const expiresAt = request.expiresAt ?? null
  const start = startAt !== null && startAt > now ? startAt : now
  return expiresAt !== null && expiresAt <= start
    ? invalid("expiresAt", "must be later than the start")
    : Either.right({ startAt, expiresAt })
}

/** Pure: the same request in the same circumstances gives the same draft, or the same refusal. */
export const draftTask = (
  request: NewTask,
  circumstances: Circumstances
): Either.Either<TaskDraft, Problem | RepositoryUrlRefused> =>
  Either.map(
    Either.all({
      repository: repository(request, circumstances),
      delivery: delivery(request),
      network: network(request, circumstances),
      secrets: secrets(request),
      model: model(request, circumstances),
      times: times(request, circumstances)
    }),
    ({ times, ...checked }) => {
      const { id, owner } = circumstances
      const title = request.title?.trim() ?? defaultTitle(request.prompt)
      return {
        ...checked,
        ...times,
        id,
        owner,
        title,
        prompt: request.prompt,
        branch: branchName(title, id),
        limits: { ...defaultLimits, ...request.limits },
        approvals: request.approvals ?? "never",
        priority: request.priority ?? 0,
        tags: Array.dedupe(request.tags ?? [])
      }
    }
  )
