/**
 * AppConfig from environment variables.
 *
 * Owns: putting the variables together, the rules between them, and one error that tells everything that is wrong.
 * Does not own: their names and defaults (`EnvironmentVariables.ts`).
 */
import { Config, ConfigError, ConfigProvider, Effect, Either, Layer, Option, Schema } from "effect"
import { AppConfig, type GitHubSettings, type SandboxLimits, type Settings } from "../services/AppConfig.ts"
import { dataDir, type EnvironmentVariables, variablesOn } from "./EnvironmentVariables.ts"
import { type HostSize, measureHost } from "./hostSize.ts"
import { traceSettings } from "./otlp/variables.ts"
import type { SettingDocumentation } from "./Setting.ts"

/** Variables with values that can't be used; each problem names the variable, its value and the remedy. */
export class SettingsInvalid extends Schema.TaggedError<SettingsInvalid>()("SettingsInvalid", {
  problems: Schema.Array(Schema.String)
}) {
  override get message() {
    return this.problems.join("\n")
  }
}

const settings = (all: EnvironmentVariables): Config.Config<Settings> => {
  const limits: Config.Config<SandboxLimits> = Config.all({
    memoryBytes: all.memory.config,
    cpus: all.cpus.config,
    pids: all.pids.config,
    diskBytes: all.disk.config
  })
  const sandbox = Config.all({
    adapter: all.sandbox.config,
    allowUnsandboxed: all.allowUnsandboxed.config,
    image: all.image.config,
    runtime: all.runtime.config,
    dockerHost: all.dockerHost.config,
    limits,
    commandSilenceMs: all.commandSilence.config,
    defaultNetwork: all.defaultNetwork.config
  }).pipe(
    Config.mapOrFail(({ allowUnsandboxed, defaultNetwork, ...rest }) =>
      rest.adapter === "process" && !allowUnsandboxed
        ? refuse(
            `ERRAND_SANDBOX is "process", which isolates nothing: use docker, or accept the danger with ` +
              `ERRAND_ALLOW_UNSANDBOXED=true.`
          )
        : Either.right({
            ...rest,
            defaultNetwork: Option.getOrElse(defaultNetwork, () => (rest.adapter === "process" ? "open" : "registries"))
          })
    )
  )
  const model = Config.all({
    name: all.model.config,
    apiKey: all.apiKey.config,
    baseUrl: all.baseUrl.config,
    script: all.script.config,
    prices: all.prices.config,
    silenceMs: all.silence.config
  }).pipe(
    Config.mapOrFail((chosen) =>
      chosen.name === "scripted" && Option.isNone(chosen.script)
        ? refuse(`ERRAND_MODEL is "scripted": name the file with the conversation in ERRAND_SCRIPT.`)
        : Either.right(chosen)
    )
  )
  return Config.all({
    host: all.host.config,
    port: all.port.config,
    publicUrl: all.publicUrl.config,
    dataDir: all.dataDir.config,
    sandbox,
    registries: all.registries.config,
    maxRunning: all.maxRunning.config,
    maxRunningPerUser: all.maxRunningPerUser.config,
    model,
    trustedGitHosts: all.trustedGitHosts.config,
    allowLocalRepositories: all.allowLocalRepositories.config,
    ciChanges: Config.all({ policy: all.ciChanges.config, paths: all.ciPaths.config }),
    secretKey: all.secretKey.config,
    previousSecretKey: all.previousSecretKey.config,
    github: github(all),
    forges: all.forges.config,
    pullRequests: Config.map(all.pullRequests.config, (kind) => ({ draft: kind === "draft" })),
    bot: Config.all({ name: all.botName.config, webhookSecret: all.webhookSecret.config }),
    appRedirectUris: all.appRedirectUris.config,
    trustedProxyHops: all.trustedProxyHops.config,
    perUser: Config.all({
      requestsPerMinute: all.requestsPerMinute.config,
      streams: all.streamsPerUser.config,
      queuedTasks: all.queuedPerUser.config
    }),
    strict: all.strict.config,
    acceptedFindings: all.acceptedFindings.config,
    litestreamUrl: all.litestreamUrl.config,
    log: Config.all({ format: all.logFormat.config, level: all.logLevel.config }),
    traces: traceSettings(all),
    taskRetentionDays: all.taskRetentionDays.config,
    diskFloorBytes: all.diskFloor.config
  })
}

const publicGitHub = "https://github.com"

const github = (all: EnvironmentVariables): Config.Config<GitHubSettings> =>
  Config.all({
    url: all.githubUrl.config,
    apiUrl: all.githubApiUrl.config,
    clientId: all.githubClientId.config,
    clientSecret: all.githubClientSecret.config,
    allowedLogins: all.allowedLogins.config
  }).pipe(
    Config.mapOrFail(({ allowedLogins, apiUrl, clientId, clientSecret, url }) =>
      Option.isSome(clientId) === Option.isSome(clientSecret)
        ? Either.right({
            url,
            apiUrl: Option.getOrElse(apiUrl, () => (url === publicGitHub ? "https://api.github.com" : `${url}/api/v3`)),
            app: Option.all({ clientId, clientSecret }),
            allowedLogins
          })
        : refuse("Sign-in with GitHub needs both ERRAND_GITHUB_CLIENT_ID and ERRAND_GITHUB_CLIENT_SECRET.")
    )
  )

const refuse = (problem: string) => Either.left(ConfigError.InvalidData([], problem))

const problemsOf = (error: ConfigError.ConfigError): ReadonlyArray<string> =>
  error._op === "And" || error._op === "Or" ? [...problemsOf(error.left), ...problemsOf(error.right)] : [error.message]

const asSettingsInvalid = (error: ConfigError.ConfigError) => new SettingsInvalid({ problems: problemsOf(error) })

const typicalMachine: HostSize = { memoryBytes: 8 * 2 ** 30, cpus: 4, diskBytes: 100 * 2 ** 30 }

/** Every setting in words, for documentation. */
export const documentation: ReadonlyArray<SettingDocumentation> = Object.values(variablesOn(typicalMachine)).map(
  (setting) => setting.documentation
)

export const layer: Layer.Layer<AppConfig, SettingsInvalid> = Layer.effect(
  AppConfig,
  dataDir.config.pipe(
    Effect.flatMap(measureHost),
    Effect.flatMap((machine) => settings(variablesOn(machine))),
    Effect.mapError(asSettingsInvalid)
  )
)

type PartialSettings = Partial<Omit<Settings, "sandbox" | "model" | "github">> & {
  readonly github?: Partial<Settings["github"]>
  readonly sandbox?: Partial<Settings["sandbox"]>
  readonly model?: Partial<Settings["model"]>
}

/** The defaults on a machine of 8 GB and 4 processors, with `changes`, whatever the environment says. */
export const layerWith = (changes: PartialSettings = {}): Layer.Layer<AppConfig> =>
  Layer.effect(
    AppConfig,
    settings(variablesOn(typicalMachine)).pipe(
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map())),
      Effect.map((defaults) => ({
        ...defaults,
        ...changes,
        sandbox: { ...defaults.sandbox, ...changes.sandbox },
        model: { ...defaults.model, ...changes.model },
        github: { ...defaults.github, ...changes.github }
      })),
      Effect.orDie
    )
  )
