/**
 * From what a user asks for to what a task is made of.
 *
 * Owns: defaults, and the refusal of what this server can't give. Nothing is widened or narrowed in silence.
 * Does not own: the shape of the request (`NewTask.ts`), storing the task (`TaskRepo.ts`).
 */
import { Array, DateTime, Effect, Either, Option, Schema } from "effect"
import { AppConfig, type Settings } from "./AppConfig.ts"
import { forgeOf } from "./forges.ts"
import { Ids, type ScheduleId, type TaskId, type UserId } from "./Ids.ts"
import { maskOf } from "./masking.ts"
import type { NewTask } from "./NewTask.ts"
import { type PriceTable, priceOf, Pricing } from "./Pricing.ts"
import { parse, type RepositoryUrlRefused } from "./RepositoryUrl.ts"
import { Sandbox } from "./Sandbox.ts"
import { type Secret, Secrets } from "./Secrets.ts"
import { defaultLimits, type Network, type NetworkMode, type TaskDraft, type Timestamp } from "./Task.ts"
import { branchName, defaultTitle } from "./taskNames.ts"

/** This server can't do that task as it is asked for; `path` is the dotted place of the fault in the request. */
export class TaskRefused extends Schema.TaggedError<TaskRefused>()("TaskRefused", {
  code: Schema.Literal(
    "invalid_request",
    "network_mode_unavailable",
    "model_price_unknown",
    "delivery_unavailable",
    "secret_unknown",
    "secrets_unavailable"
  ),
  detail: Schema.String,
  path: Schema.String,
  fault: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

export interface Circumstances {
  readonly id: TaskId
  readonly owner: UserId
  readonly schedule: ScheduleId | null
  readonly now: Timestamp
  readonly settings: Settings
  readonly networkModes: ReadonlyArray<NetworkMode>
  readonly prices: PriceTable
  /** Those of the owner that the request names, as far as there are any. */
  readonly secrets: ReadonlyArray<Secret>
}

const refuse = (code: TaskRefused["code"], path: string, fault: string, detail: string) =>
  Either.left(new TaskRefused({ code, path, fault, detail }))

const invalid = (path: string, fault: string) => refuse("invalid_request", path, fault, `${path} ${fault}.`)

const repository = (request: NewTask, { settings }: Circumstances) =>
  Either.map(
    parse(request.repository.url, {
      trustedHosts: settings.trustedGitHosts,
      allowLocal: settings.allowLocalRepositories
    }),
    ({ url }) => ({ url, ref: request.repository.ref ?? null })
  )

const network = (request: NewTask, { settings, networkModes }: Circumstances): Either.Either<Network, TaskRefused> => {
  const { mode, hosts = [] } = request.network ?? { mode: settings.sandbox.defaultNetwork }
  if (hosts.length > 0 && mode !== "allowlist") return invalid("network.hosts", `go with the mode "allowlist" only`)
  if (networkModes.includes(mode)) return Either.right({ mode, hosts: Array.dedupe(hosts) })
  const given = networkModes.join(", ")
  return refuse(
    "network_mode_unavailable",
    "network.mode",
    `must be one of ${given}`,
    `The network mode "${mode}" is not available on this server. Ask for one of: ${given}.`
  )
}

/** The limit in dollars only holds when every answer of the model has a price. */
const model = (request: NewTask, { settings, prices }: Circumstances): Either.Either<string, TaskRefused> => {
  const name = request.model ?? settings.model.name
  return Option.isSome(priceOf(prices, name))
    ? Either.right(name)
    : refuse(
        "model_price_unknown",
        "model",
        "has no known price",
        `Errand knows no price for the model "${name}", so it can't hold the limit in dollars. Add it to the file that ERRAND_PRICES names.`
      )
}

const delivery = (request: NewTask, { settings }: Circumstances) =>
  request.delivery === "pull_request" && Option.isNone(forgeOf(request.repository.url, settings))
    ? refuse(
        "delivery_unavailable",
        "delivery",
        `must be "branch" or "none"`,
        `Errand knows of no forge at this repository's host, so it can't open pull requests there. Use "branch" or "none", or name the forge in ERRAND_FORGES.`
      )
    : Either.right(request.delivery ?? "branch")

/** Values are put in on the way out of the sandbox: without such a way nothing can be done with a secret. */
const noWayOut = (request: NewTask, { settings }: Circumstances): string | undefined => {
  if (settings.sandbox.adapter === "process") {
    return `Commands run on the server itself here (ERRAND_SANDBOX=process), where no value can be kept from them. Leave "secrets" out, or set ERRAND_SANDBOX=docker.`
  }
  const mode = request.network?.mode ?? settings.sandbox.defaultNetwork
  return mode === "none"
    ? `Without a network a task can use no secret: its value is put into requests on their way out. Ask for another network mode, or leave "secrets" out.`
    : undefined
}

const secrets = (request: NewTask, circumstances: Circumstances): Either.Either<ReadonlyArray<string>, TaskRefused> => {
  const names = Array.dedupe(request.secrets ?? [])
  if (names.length === 0) return Either.right(names)
  const unknown = (request.secrets ?? []).findIndex(
    (name) => !circumstances.secrets.some((known) => known.name === name)
  )
  if (unknown >= 0) {
    const detail = `There is no secret "${request.secrets?.[unknown]}". Store it with PUT /secrets/{name}.`
    return refuse("secret_unknown", `secrets.${unknown}`, "is not the name of a secret", detail)
  }
  const reason = noWayOut(request, circumstances)
  return reason === undefined
    ? Either.right(names)
    : refuse("secrets_unavailable", "secrets", "can't be used by this task", reason)
}

/** The words of a request, without the values of the secrets that it names. */
const maskedWords = (request: NewTask, known: ReadonlyArray<Secret>): Pick<NewTask, "prompt" | "title" | "tags"> => {
  const mask = maskOf(known)
  return {
    prompt: mask.text(request.prompt),
    ...(request.title === undefined ? {} : { title: mask.text(request.title) }),
    ...(request.tags === undefined ? {} : { tags: request.tags.map(mask.text) })
  }
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
): Either.Either<TaskDraft, TaskRefused | RepositoryUrlRefused> =>
  Either.map(
    Either.all({
      repository: repository(request, circumstances),
      delivery: delivery(request, circumstances),
      network: network(request, circumstances),
      secrets: secrets(request, circumstances),
      model: model(request, circumstances),
      times: times(request, circumstances)
    }),
    ({ times, ...checked }) => {
      const { id, owner, schedule } = circumstances
      const { prompt, tags = [], title: named } = maskedWords(request, circumstances.secrets)
      const title = named?.trim() ?? defaultTitle(prompt)
      return {
        ...checked,
        ...times,
        id,
        owner,
        scheduleId: schedule,
        title,
        prompt,
        branch: branchName(title, id),
        limits: { ...defaultLimits, ...request.limits },
        approvals: request.approvals ?? "never",
        priority: request.priority ?? 0,
        tags: Array.dedupe(tags)
      }
    }
  )

/** Makes drafts in the circumstances of this server and this moment; a schedule is named where one asks. */
export const makeDrafts = Effect.gen(function* () {
  const settings = yield* AppConfig
  const { networkModes } = yield* Sandbox
  const { table: prices } = yield* Pricing
  const ids = yield* Ids
  const stored = yield* Secrets
  return Effect.fnUntraced(function* (owner: UserId, request: NewTask, schedule: ScheduleId | null = null) {
    const now = DateTime.formatIso(yield* DateTime.now)
    const id = yield* ids.task
    const secrets = yield* stored.find(owner, request.secrets ?? [])
    return yield* draftTask(request, { id, owner, schedule, now, settings, networkModes, prices, secrets })
  })
})
