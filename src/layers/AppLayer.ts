/**
 * The whole application but its door, on one screen.
 *
 *   Schedules ─── SchedulerFiber      TaskRepo ─── RetentionFiber
 *   TaskRunner ─┬─ TaskQueue ─┬─ TaskRepo ── EventBus ── Transaction ── SqlClient ── DataDir ── AppConfig
 *               │             └─ Secrets ── Vault
 *               ├─ GitStore, Forge ── ForgeTokens, GitCredentials ── Vault
 *               ├─ DiskSpace, Backups
 *               ├─ Sandbox       (docker, process) ── Egress ── NetworkLog
 *               └─ ClaudeClient  (anthropic, scripted)
 *   TracerOtlp, below all of them
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import type { FileSystem } from "@effect/platform/FileSystem"
import { Effect, Layer } from "effect"
import { AppConfig } from "../services/AppConfig.ts"
import type { ClaudeClient } from "../services/ClaudeClient.ts"
import type { Egress } from "../services/Egress.ts"
import type { Ids } from "../services/Ids.ts"
import type { Sandbox } from "../services/Sandbox.ts"
import * as AccountsSqlite from "./AccountsSqlite.ts"
import * as AppConfigEnv from "./AppConfigEnv.ts"
import * as BackupsLitestream from "./BackupsLitestream.ts"
import * as BudgetsSqlite from "./BudgetsSqlite.ts"
import * as ClaudeClientAnthropic from "./ClaudeClientAnthropic.ts"
import * as DataDirLock from "./DataDirLock.ts"
import * as DiskSpaceStatfs from "./DiskSpaceStatfs.ts"
import * as EgressProxy from "./EgressProxy.ts"
import * as EventBusSqlite from "./EventBusSqlite.ts"
import * as ForgeCommentsSqlite from "./ForgeCommentsSqlite.ts"
import * as ForgeOctokit from "./ForgeOctokit.ts"
import * as ForgeSignInGitHub from "./ForgeSignInGitHub.ts"
import * as ForgeTokensSqlite from "./ForgeTokensSqlite.ts"
import * as GitCredentialsSqlite from "./GitCredentialsSqlite.ts"
import * as GitStoreBare from "./GitStoreBare.ts"
import * as IdempotencySqlite from "./IdempotencySqlite.ts"
import * as IdsUlid from "./IdsUlid.ts"
import type { JsonFileInvalid } from "./jsonFile.ts"
import * as NetworkLogSqlite from "./NetworkLogSqlite.ts"
import * as PairingsTickets from "./PairingsTickets.ts"
import * as PricingFile from "./PricingFile.ts"
import * as RetentionFiber from "./RetentionFiber.ts"
import * as SandboxDocker from "./SandboxDocker.ts"
import * as SandboxProcess from "./SandboxProcess.ts"
import * as SchedulerFiber from "./SchedulerFiber.ts"
import * as SchedulesSqlite from "./SchedulesSqlite.ts"
import { modelName } from "./scripted/modelName.ts"
import * as SecretInterception from "./SecretInterception.ts"
import * as SecretsSqlite from "./SecretsSqlite.ts"
import * as SessionsSqlite from "./SessionsSqlite.ts"
import * as Sqlite from "./Sqlite.ts"
import * as TaskQueueSqlite from "./TaskQueueSqlite.ts"
import * as TaskRepoSqlite from "./TaskRepoSqlite.ts"
import * as TaskRunnerFibers from "./TaskRunnerFibers.ts"
import * as TicketsSqlite from "./TicketsSqlite.ts"
import * as TracerOtlp from "./TracerOtlp.ts"
import * as TransactionSqlite from "./TransactionSqlite.ts"
import * as VaultAesGcm from "./VaultAesGcm.ts"

/** What the replaceable parts may need. */
type Ground = AppConfig | DataDirLock.DataDir | FileSystem | Ids

/** The parts of the application that depend on where it runs; each can be given by somebody else. */
export interface Parts {
  readonly config: Layer.Layer<AppConfig, AppConfigEnv.SettingsInvalid>
  readonly sandbox: Layer.Layer<Sandbox, never, Ground | Egress>
  readonly model: Layer.Layer<ClaudeClient, JsonFileInvalid, Ground>
}

const sandbox = Layer.unwrapEffect(
  Effect.map(AppConfig, (config): Parts["sandbox"] =>
    config.sandbox.adapter === "docker" ? SandboxDocker.layer : SandboxProcess.layer
  )
)

/** The format of scripts is large, and few servers play one. */
const scripted: Effect.Effect<Parts["model"]> = Effect.map(
  Effect.promise(() => import("./ClaudeClientScripted.ts")),
  ({ layer }) => layer
)

const model = Layer.unwrapEffect(
  Effect.flatMap(AppConfig, (config) =>
    config.model.name === modelName ? scripted : Effect.succeed<Parts["model"]>(ClaudeClientAnthropic.layer)
  )
)

/** The application with some parts replaced: `layerWith({ sandbox: SandboxScripted.layer })`. */
export const layerWith = (parts: Partial<Parts>) => {
  const given: Parts = { config: AppConfigEnv.layer, sandbox, model, ...parts }
  const ground = DiskSpaceStatfs.layer.pipe(
    Layer.provideMerge(DataDirLock.layer),
    Layer.provideMerge(TracerOtlp.layer),
    Layer.provideMerge(Layer.mergeAll(given.config, IdsUlid.layer, NodeContext.layer))
  )
  const storage = TaskRepoSqlite.layer.pipe(
    Layer.provideMerge(Layer.merge(EventBusSqlite.layer, SecretsSqlite.layer)),
    Layer.provideMerge(VaultAesGcm.layer),
    Layer.provideMerge(TransactionSqlite.layer),
    Layer.provideMerge(Sqlite.layer)
  )
  const accounts = Layer.mergeAll(
    SessionsSqlite.layer,
    PairingsTickets.layer,
    Layer.provideMerge(ForgeTokensSqlite.layer, ForgeSignInGitHub.layer),
    IdempotencySqlite.layer,
    ForgeCommentsSqlite.layer,
    GitCredentialsSqlite.layer
  ).pipe(Layer.provideMerge(Layer.merge(AccountsSqlite.layer, TicketsSqlite.layer)))
  const outside = Layer.mergeAll(
    GitStoreBare.layer,
    ForgeOctokit.layer,
    given.sandbox,
    given.model,
    PricingFile.layer
  ).pipe(
    Layer.provideMerge(Layer.provide(EgressProxy.layer, SecretInterception.layer)),
    Layer.provideMerge(NetworkLogSqlite.layer)
  )
  return Layer.merge(SchedulerFiber.layer, RetentionFiber.layer).pipe(
    Layer.provideMerge(TaskRunnerFibers.layer),
    Layer.provideMerge(Layer.mergeAll(BudgetsSqlite.layer, SchedulesSqlite.layer, BackupsLitestream.layer)),
    Layer.provideMerge(TaskQueueSqlite.layer),
    Layer.provideMerge(outside),
    Layer.provideMerge(accounts),
    Layer.provideMerge(storage),
    Layer.provideMerge(ground)
  )
}

export const layer = layerWith({})
