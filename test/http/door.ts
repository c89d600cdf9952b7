/** The door on memory adapters, on a free port of this machine, with users and their tokens. */
import { FetchHttpClient } from "@effect/platform"
import { Effect, Either, Layer, Logger, LogLevel, Option, Redacted } from "effect"
import * as AccountsMemory from "../../src/layers/AccountsMemory.ts"
import * as BackupsMemory from "../../src/layers/BackupsMemory.ts"
import * as BudgetsMemory from "../../src/layers/BudgetsMemory.ts"
import * as DiskSpaceMemory from "../../src/layers/DiskSpaceMemory.ts"
import * as EgressMemory from "../../src/layers/EgressMemory.ts"
import * as EventBusMemory from "../../src/layers/EventBusMemory.ts"
import * as ForgeTokensMemory from "../../src/layers/ForgeTokensMemory.ts"
import * as ForgeCommentsMemory from "../../src/layers/ForgeCommentsMemory.ts"
import * as ForgeMemory from "../../src/layers/ForgeMemory.ts"
import * as GitCredentialsMemory from "../../src/layers/GitCredentialsMemory.ts"
import * as IdempotencyMemory from "../../src/layers/IdempotencyMemory.ts"
import * as IdsUlid from "../../src/layers/IdsUlid.ts"
import * as NetworkLogMemory from "../../src/layers/NetworkLogMemory.ts"
import * as PairingsTickets from "../../src/layers/PairingsTickets.ts"
import * as SessionsMemory from "../../src/layers/SessionsMemory.ts"
import * as SchedulesMemory from "../../src/layers/SchedulesMemory.ts"
import * as SecretsMemory from "../../src/layers/SecretsMemory.ts"
import * as TaskQueueMemory from "../../src/layers/TaskQueueMemory.ts"
import * as TaskRepoMemory from "../../src/layers/TaskRepoMemory.ts"
import * as TicketsMemory from "../../src/layers/TicketsMemory.ts"
import * as TransactionMemory from "../../src/layers/TransactionMemory.ts"
import * as VaultAesGcm from "../../src/layers/VaultAesGcm.ts"
import * as Server from "../../src/http/Server.ts"
import { Accounts, type TokenScope } from "../../src/services/Accounts.ts"
import { AppConfig, type Settings } from "../../src/services/AppConfig.ts"
import { ClaudeClient } from "../../src/services/ClaudeClient.ts"
import type { Backups } from "../../src/services/Backups.ts"
import type { DiskSpace } from "../../src/services/DiskSpace.ts"
import type { Forge } from "../../src/services/Forge.ts"
import { ForgeSignIn } from "../../src/services/ForgeSignIn.ts"
import type { Egress } from "../../src/services/Egress.ts"
import { GitStore } from "../../src/services/GitStore.ts"
import type { TaskId } from "../../src/services/Ids.ts"
import { Pricing } from "../../src/services/Pricing.ts"
import { Sandbox } from "../../src/services/Sandbox.ts"
import type { TaskChange } from "../../src/services/TaskChange.ts"
import { TaskRepo } from "../../src/services/TaskRepo.ts"
import { TaskRunner } from "../../src/services/TaskRunner.ts"
import type { Transaction } from "../../src/services/Transaction.ts"
import { settings } from "../support/settings.ts"

export const storage = Layer.mergeAll(
  Layer.provideMerge(BudgetsMemory.layer, TaskQueueMemory.layer),
  SchedulesMemory.layer,
  SessionsMemory.layer,
  PairingsTickets.layer,
  IdempotencyMemory.layer,
  GitCredentialsMemory.layer,
  ForgeCommentsMemory.layer,
  ForgeTokensMemory.layer,
  NetworkLogMemory.layer
).pipe(
  Layer.provideMerge(Layer.merge(AccountsMemory.layer, TicketsMemory.layer)),
  Layer.provideMerge(VaultAesGcm.layerWith(Redacted.make("a key of more than thirty-two characters"))),
  Layer.provideMerge(TaskRepoMemory.layer),
  Layer.provideMerge(Layer.merge(EventBusMemory.layer, SecretsMemory.layer)),
  Layer.provideMerge(TransactionMemory.layer),
  Layer.provideMerge(IdsUlid.layer)
)

export interface Fakes {
  readonly settings?: Partial<Settings>
  readonly runner?: Layer.Layer<TaskRunner>
  readonly store?: Layer.Layer<GitStore>
  readonly sandbox?: Layer.Layer<Sandbox>
  readonly claude?: Layer.Layer<ClaudeClient>
  readonly signIn?: Layer.Layer<ForgeSignIn>
  readonly disk?: Layer.Layer<DiskSpace>
  readonly forge?: Layer.Layer<Forge>
  readonly backups?: Layer.Layer<Backups>
  readonly egress?: Layer.Layer<Egress>
  readonly logger?: Layer.Layer<never>
  readonly bounds?: Parameters<typeof Server.layerWith>[0]
  /** Around the transactions of the door, not of the adapters. */
  readonly transaction?: Layer.Layer<Transaction, never, Transaction>
}

const quietRunner = Layer.mock(TaskRunner, {
  stop: () => Effect.void,
  interruptTool: () => Effect.void,
  running: Effect.succeed([]),
  awaitIdle: Effect.void
})

const readySandbox = Layer.mock(Sandbox, {
  networkModes: ["none", "open"],
  health: Effect.succeed({ adapter: "scripted" as const, ready: true, detail: "scripted" })
})

const configuredModel = Layer.mock(ClaudeClient, { configured: Effect.succeed(true) })

const noForge = Layer.mock(ForgeSignIn, {
  host: Option.none(),
  authorizationUrl: () => "",
  startDevice: Effect.die("not asked")
})

const prices = Layer.succeed(Pricing, {
  table: { "claude-test": { input: 1, output: 1, cacheRead: 1, cacheWrite: 1 } }
})

/** Everything that the door needs stays visible, so that a test can act as the agent does. */
export const door = (fakes: Fakes = {}) =>
  Server.layerWith(fakes.bounds ?? {}).pipe(
    Layer.provide(fakes.transaction ?? Layer.empty),
    Layer.provideMerge(storage),
    Layer.provideMerge(
      Layer.mergeAll(
        fakes.runner ?? quietRunner,
        fakes.store ?? Layer.mock(GitStore, { forget: () => Effect.void }),
        fakes.sandbox ?? readySandbox,
        fakes.claude ?? configuredModel,
        fakes.signIn ?? noForge,
        fakes.disk ?? DiskSpaceMemory.layer,
        fakes.forge ?? ForgeMemory.layer,
        fakes.backups ?? BackupsMemory.layer,
        fakes.egress ?? EgressMemory.layer,
        prices,
        Layer.succeed(AppConfig, { ...settings, ...fakes.settings })
      )
    ),
    Layer.provideMerge(FetchHttpClient.layer),
    Layer.provide(fakes.logger ?? Logger.minimumLogLevel(LogLevel.None))
  )

export const baseUrl = Server.address

/** Makes a token, and the user when the login is new; the first user is the owner. */
export const tokenFor = Effect.fnUntraced(function* (
  login: string,
  scopes: ReadonlyArray<TokenScope> = ["read", "write"]
) {
  const accounts = yield* Accounts
  return yield* Effect.map(accounts.createToken(login, { name: "test", scopes }), ({ token, ...rest }) => ({
    ...rest,
    token: Redacted.value(token)
  }))
})

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body as JSON, of whatever shape a test expects; undefined when it is none. */
  readonly json: ReturnType<typeof JSON.parse>
}

interface Asking {
  readonly token?: string
  /** Sent as JSON, but for strings and bytes, which are sent as they are. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** One request over a real socket. */
export const ask = (method: string, path: string, { token, body, headers }: Asking = {}) =>
  Effect.flatMap(baseUrl, (url) =>
    Effect.promise(async (signal): Promise<Reply> => {
      const raw = typeof body === "string" || body instanceof Uint8Array || body === undefined
      const response = await fetch(`${url}${path}`, {
        method,
        signal,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers
        },
        ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) })
      })
      const text = await response.text()
      return { status: response.status, headers: response.headers, text, json: parsed(text) }
    })
  )

export const newTask = { repository: { url: "https://git.example/team/project" }, prompt: "Mend the failing test." }

/** Submits a task and gives its id. */
export const submit = (token: string, more: Readonly<Record<string, unknown>> = {}) =>
  Effect.map(ask("POST", "/api/v1/tasks", { token, body: { ...newTask, ...more } }), ({ json }) => json.id as TaskId)

/** Changes a task as the agent would. */
export const happen = (id: TaskId, ...changes: ReadonlyArray<TaskChange>) =>
  Effect.flatMap(TaskRepo, (repo) => repo.change(id, () => Either.right(changes)))
