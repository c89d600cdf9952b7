/** Settings for tests: plain values, with no environment behind them. */
import { Layer, Option, Redacted } from "effect"
import { AppConfig, type Settings } from "../../src/services/AppConfig.ts"
import { publicRegistries } from "../../src/services/Registries.ts"

export const settings: Settings = {
  host: "127.0.0.1",
  port: 0,
  publicUrl: Option.none(),
  dataDir: "/nonexistent",
  sandbox: {
    adapter: "process",
    image: "none",
    runtime: Option.none(),
    dockerHost: Option.none(),
    commandSilenceMs: 600_000,
    limits: { memoryBytes: 1, cpus: 1, pids: 1, diskBytes: 1 },
    defaultNetwork: "none"
  },
  registries: publicRegistries,
  maxRunning: 1,
  maxRunningPerUser: 1,
  model: {
    name: "claude-test",
    apiKey: Option.some(Redacted.make("sk-test")),
    baseUrl: Option.none(),
    script: Option.none(),
    prices: Option.none(),
    silenceMs: 60_000
  },
  trustedGitHosts: [],
  allowLocalRepositories: false,
  ciChanges: { policy: "ask", paths: [] },
  secretKey: Option.none(),
  github: {
    url: "https://github.com",
    apiUrl: "https://api.github.com",
    app: Option.none(),
    allowedLogins: { users: [], organizations: [] }
  },
  forges: [],
  pullRequests: { draft: true },
  bot: { name: "errand", webhookSecret: Option.none() },
  previousSecretKey: Option.none(),
  appRedirectUris: ["errand://signed-in"],
  trustedProxyHops: 0,
  perUser: { requestsPerMinute: 100_000, streams: 10_000, queuedTasks: 10_000 },
  strict: false,
  acceptedFindings: [],
  litestreamUrl: Option.none(),
  log: { format: Option.none(), level: "info" },
  traces: Option.none(),
  taskRetentionDays: Option.none(),
  diskFloorBytes: 0
}

export const modelSettings = (model: Partial<Settings["model"]>): Layer.Layer<AppConfig> =>
  Layer.succeed(AppConfig, { ...settings, model: { ...settings.model, ...model } })
