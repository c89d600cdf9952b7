/**
 * The settings of this server, decoded.
 *
 * Owns: which settings exist and their units.
 * Does not own: the names and defaults of the environment variables (`layers/AppConfigEnv.ts`).
 */
import { Context, type Option, type Redacted } from "effect"
import type { Registries } from "./Registries.ts"
import type { NetworkMode } from "./Task.ts"

export interface SandboxLimits {
  readonly memoryBytes: number
  readonly cpus: number
  readonly pids: number
  readonly diskBytes: number
}

/** GitHub, or an Enterprise server of one's own. */
export interface GitHubSettings {
  /** Where people sign in, and the host of repository URLs; without a slash at its end. */
  readonly url: string
  readonly apiUrl: string
  /** The OAuth App or GitHub App that people let in; none: no sign-in with GitHub. */
  readonly app: Option.Option<{ readonly clientId: string; readonly clientSecret: Redacted.Redacted }>
  /** Who may sign in beside those who are users already, in lower case. */
  readonly allowedLogins: {
    readonly users: ReadonlyArray<string>
    readonly organizations: ReadonlyArray<string>
  }
}

export const logFormats = ["pretty", "logfmt", "json"] as const
export type LogFormat = (typeof logFormats)[number]

export const logLevels = ["debug", "info", "warning", "error"] as const
export type LogSettingLevel = (typeof logLevels)[number]

/** Where traces go, by OTLP over HTTP. */
export interface TraceSettings {
  readonly url: string
  readonly headers: Redacted.Redacted<Readonly<Record<string, string>>>
  /** Milliseconds for the whole of a request. */
  readonly timeoutMs: number
  /** What each of them says of this server; `service.name` is among it. */
  readonly resource: Readonly<Record<string, string>>
}

export type CiPolicy = "allow" | "ask" | "refuse"

export interface Settings {
  readonly host: string
  /** 0 picks a free port. */
  readonly port: number
  /** How clients reach the server; none means the address it listens on. */
  readonly publicUrl: Option.Option<string>
  readonly dataDir: string
  readonly sandbox: {
    readonly adapter: "docker" | "process"
    readonly image: string
    /** OCI runtime; none leaves it to the engine. */
    readonly runtime: Option.Option<string>
    /** `DOCKER_HOST`; none means the engine's usual socket. */
    readonly dockerHost: Option.Option<string>
    readonly limits: SandboxLimits
    /** Milliseconds without output after which a command is killed. */
    readonly commandSilenceMs: number
    /** The network of a task that asks for none in particular. */
    readonly defaultNetwork: NetworkMode
  }
  /** The package registries that sandboxes read from. */
  readonly registries: Registries
  readonly maxRunning: number
  readonly maxRunningPerUser: number
  readonly model: {
    readonly name: string
    readonly apiKey: Option.Option<Redacted.Redacted>
    readonly baseUrl: Option.Option<string>
    /** File with a scripted conversation, when `name` is `scripted`. */
    readonly script: Option.Option<string>
    /** File with prices that add to and override the built-in ones. */
    readonly prices: Option.Option<string>
    /** Milliseconds without a byte from the model before the turn is repeated. */
    readonly silenceMs: number
  }
  /** `host[:port]` of git hosts on private addresses or plain `http://` that tasks may use. */
  readonly trustedGitHosts: ReadonlyArray<string>
  readonly allowLocalRepositories: boolean
  /** What happens before CI definitions are pushed; `paths` are patterns of more of them. */
  readonly ciChanges: { readonly policy: CiPolicy; readonly paths: ReadonlyArray<string> }
  /** Set: key for secrets at rest; none: a key file in the data directory. */
  readonly secretKey: Option.Option<Redacted.Redacted>
  /** A key from before, which still opens what it sealed. */
  readonly previousSecretKey: Option.Option<Redacted.Redacted>
  readonly github: GitHubSettings
  /** Forges beside GitHub; Forgejo has the API of Gitea. URLs are without a slash at their end. */
  readonly forges: ReadonlyArray<{ readonly kind: "gitea"; readonly url: string }>
  readonly pullRequests: {
    /** Whether they begin as drafts. */
    readonly draft: boolean
  }
  readonly bot: {
    /** Comments that begin with `@` and this name are for Errand. */
    readonly name: string
    /** The secret that GitHub signs its webhooks with; none: comments are not heard. */
    readonly webhookSecret: Option.Option<Redacted.Redacted>
  }
  /** Where apps may be sent back to after a sign-in, each compared as a whole. */
  readonly appRedirectUris: ReadonlyArray<string>
  /** Proxies before this server that add to `X-Forwarded-For`; 0: the header means nothing. */
  readonly trustedProxyHops: number
  /** What one user may have at once, and one user or address may ask for. */
  readonly perUser: {
    readonly requestsPerMinute: number
    readonly streams: number
    readonly queuedTasks: number
  }
  readonly strict: boolean
  /** Findings of the start-up checks that somebody has accepted, by the words that the checks give. */
  readonly acceptedFindings: ReadonlyArray<string>
  /** Metrics of the Litestream that replicates the database; none: nothing does. */
  readonly litestreamUrl: Option.Option<string>
  readonly log: {
    /** None: `pretty` in a terminal, `logfmt` elsewhere. */
    readonly format: Option.Option<LogFormat>
    readonly level: LogSettingLevel
  }
  /** None: nothing is traced. */
  readonly traces: Option.Option<TraceSettings>
  /** Days after which final tasks are deleted; none keeps them. */
  readonly taskRetentionDays: Option.Option<number>
  /** Bytes of free space below which new tasks are refused and running ones pause. */
  readonly diskFloorBytes: number
}

export class AppConfig extends Context.Tag("errand/services/AppConfig")<AppConfig, Settings>() {}
