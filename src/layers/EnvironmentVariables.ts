/**
 * Every environment variable that sets something.
 *
 * Owns: the name, syntax, default and description of each; no other file knows them.
 * Does not own: how they become AppConfig (`AppConfigEnv.ts`).
 */
import { Either } from "effect"
import { resolve } from "node:path"
import { logFormats, logLevels } from "../services/AppConfig.ts"
import { defaultDiskFloor, defaultSandboxLimits, type HostSize } from "./hostSize.ts"
import { otlpVariables } from "./otlp/variables.ts"
import { optional, withComputedDefault, withDefault } from "./Setting.ts"
import * as Syntax from "./SettingSyntax.ts"

const MiB = 2 ** 20

export const dataDir = withDefault(
  "ERRAND_DATA_DIR",
  (path) => Either.right(resolve(path)),
  "./data",
  "Directory of the database, the repositories and the keys."
)

/** All variables, with the defaults of a machine of this size. */
export const variablesOn = (machine: HostSize) => {
  const limits = defaultSandboxLimits(machine)
  return {
    host: withDefault("ERRAND_HOST", Syntax.anyText, "127.0.0.1", "Address to listen on; 0.0.0.0 for every one."),
    port: withDefault("ERRAND_PORT", Syntax.wholeNumber(0, 65_535), "8787", "Port to listen on; 0 picks a free one."),
    publicUrl: optional("ERRAND_PUBLIC_URL", Syntax.httpUrl, "How clients reach the server, when that is another URL."),
    dataDir,
    secretKey: optional(
      "ERRAND_SECRET_KEY",
      Syntax.longSecret(32),
      "Key for secrets at rest, 32 characters or more. Not set: made in the data directory on the first start."
    ),
    previousSecretKey: optional(
      "ERRAND_PREVIOUS_SECRET_KEY",
      Syntax.longSecret(32),
      "What ERRAND_SECRET_KEY was before: it still opens what it sealed, until `errand key rotate` has sealed it anew."
    ),
    githubClientId: optional(
      "ERRAND_GITHUB_CLIENT_ID",
      Syntax.anyText,
      "Client id of a GitHub App or OAuth App, for sign-in with GitHub; also needs its secret."
    ),
    githubClientSecret: optional("ERRAND_GITHUB_CLIENT_SECRET", Syntax.secret, "Client secret of that app."),
    githubUrl: withDefault(
      "ERRAND_GITHUB_URL",
      Syntax.httpUrl,
      "https://github.com",
      "GitHub, or an Enterprise server of your own."
    ),
    githubApiUrl: optional(
      "ERRAND_GITHUB_API_URL",
      Syntax.httpUrl,
      "Its API. Not set: https://api.github.com, or /api/v3 of an Enterprise server."
    ),
    allowedLogins: withDefault(
      "ERRAND_ALLOWED_LOGINS",
      Syntax.loginList,
      "",
      "Who may sign in with GitHub: logins and org:NAME for the members of an organization, divided by commas."
    ),
    forges: withDefault(
      "ERRAND_FORGES",
      Syntax.forgeList,
      "",
      "Forges beside GitHub where pull requests are opened: gitea=https://code.example.org (Forgejo too), divided by commas."
    ),
    pullRequests: withDefault(
      "ERRAND_PULL_REQUESTS",
      Syntax.oneOf("draft", "ready"),
      "draft",
      "How pull requests begin: as drafts, or ready for review."
    ),
    webhookSecret: optional(
      "ERRAND_GITHUB_WEBHOOK_SECRET",
      Syntax.longSecret(16),
      "Secret of the webhook by which GitHub tells of comments and checks. Not set: there is no such route."
    ),
    botName: withDefault(
      "ERRAND_BOT_NAME",
      Syntax.botName,
      "errand",
      "Name by which comments at GitHub address Errand, without the @."
    ),
    appRedirectUris: withDefault(
      "ERRAND_APP_REDIRECT_URIS",
      Syntax.uriList,
      "",
      "URIs that apps are sent back to after a sign-in, each in full, divided by commas, as in errand://signed-in."
    ),
    trustedProxyHops: withDefault(
      "ERRAND_TRUSTED_PROXY_HOPS",
      Syntax.wholeNumber(0, 10),
      "0",
      "Proxies before this server that add the address of who asks to X-Forwarded-For; 0 ignores the header."
    ),
    requestsPerMinute: withDefault(
      "ERRAND_REQUESTS_PER_MINUTE",
      Syntax.wholeNumber(1, 1_000_000),
      "3000",
      "Requests of one user, and of one address from outside this machine, in a minute."
    ),
    streamsPerUser: withDefault(
      "ERRAND_MAX_STREAMS_PER_USER",
      Syntax.wholeNumber(1, 1_000_000),
      "256",
      "Open streams of one user, and those of one address that nobody has signed in on."
    ),
    queuedPerUser: withDefault(
      "ERRAND_MAX_QUEUED_PER_USER",
      Syntax.wholeNumber(1, 1_000_000),
      "1000",
      "Tasks of one user that wait in the queue."
    ),
    strict: withDefault("ERRAND_STRICT", Syntax.truth, "false", "Whether findings of the start-up checks are fatal."),
    acceptedFindings: withDefault(
      "ERRAND_ACCEPTED_FINDINGS",
      Syntax.wordList,
      "",
      "Findings of the start-up checks that are let pass, as doctor names them, divided by commas."
    ),
    litestreamUrl: optional(
      "ERRAND_LITESTREAM_URL",
      Syntax.httpUrl,
      "Metrics of the Litestream that replicates the database, such as http://127.0.0.1:9090/metrics. Set: it runs, and checkpoints are left to it."
    ),
    taskRetentionDays: optional(
      "ERRAND_TASK_RETENTION_DAYS",
      Syntax.wholeNumber(1, 36_500),
      "Days after its end when a task is deleted with all that belongs to it. Not set: tasks are kept."
    ),
    diskFloor: withComputedDefault(
      "ERRAND_DISK_FLOOR",
      Syntax.byteSize(0, "0"),
      defaultDiskFloor(machine),
      "1g, or a twentieth of a smaller disk",
      "Free space in the data directory below which new tasks are refused and running ones pause."
    ),
    maxRunning: withDefault("ERRAND_MAX_RUNNING", Syntax.wholeNumber(1, 1000), "4", "Tasks that run at once."),
    maxRunningPerUser: withDefault(
      "ERRAND_MAX_RUNNING_PER_USER",
      Syntax.wholeNumber(1, 1000),
      "1",
      "Tasks of one user that run at once."
    ),
    sandbox: withDefault(
      "ERRAND_SANDBOX",
      Syntax.oneOf("docker", "process"),
      "docker",
      "Where tools run: docker, or process (no isolation at all; also needs ERRAND_ALLOW_UNSANDBOXED)."
    ),
    allowUnsandboxed: withDefault(
      "ERRAND_ALLOW_UNSANDBOXED",
      Syntax.truth,
      "false",
      "Whether ERRAND_SANDBOX=process may run tools as the server's own user."
    ),
    image: withDefault("ERRAND_SANDBOX_IMAGE", Syntax.anyText, "errand-sandbox:latest", "Image of the sandboxes."),
    runtime: optional(
      "ERRAND_SANDBOX_RUNTIME",
      Syntax.anyText,
      "OCI runtime of the sandboxes (runc, runsc, ...). Not set: the engine's own choice."
    ),
    dockerHost: optional(
      "DOCKER_HOST",
      Syntax.engineAddress,
      "Address of the Docker engine. Not set: its usual socket."
    ),
    memory: withComputedDefault(
      "ERRAND_SANDBOX_MEMORY",
      Syntax.byteSize(64 * MiB, "64m"),
      limits.memoryBytes,
      "half of what the host has beyond 512m, from 512m to 4g",
      "Memory of one sandbox."
    ),
    cpus: withComputedDefault(
      "ERRAND_SANDBOX_CPUS",
      Syntax.decimalNumber(0.1, 1024),
      limits.cpus,
      "all of the host but a half, from 1 to 4",
      "Processors of one sandbox; parts are allowed, as in 1.5."
    ),
    pids: withDefault(
      "ERRAND_SANDBOX_PIDS",
      Syntax.wholeNumber(16, 1_000_000),
      `${limits.pids}`,
      "Processes and threads of one sandbox."
    ),
    disk: withComputedDefault(
      "ERRAND_SANDBOX_DISK",
      Syntax.byteSize(64 * MiB, "64m"),
      limits.diskBytes,
      "a quarter of the disk, from 1g to 10g",
      "Disk space of one sandbox."
    ),
    defaultNetwork: optional(
      "ERRAND_DEFAULT_NETWORK",
      Syntax.oneOf("none", "registries", "open"),
      "Network mode of tasks that name none. Not set: registries, and open where ERRAND_SANDBOX is process."
    ),
    registries: withDefault(
      "ERRAND_REGISTRIES",
      Syntax.registries,
      "",
      "Package registries in place of the public ones, as npm=https://npm.example,pypi=http://10.0.0.5:3141/root/pypi (npm, pypi, crates, go, debian); they may be at private addresses."
    ),
    model: withDefault(
      "ERRAND_MODEL",
      Syntax.anyText,
      "claude-sonnet-5-5",
      "Model of tasks that name none; scripted plays the conversation in ERRAND_SCRIPT."
    ),
    apiKey: optional("ANTHROPIC_API_KEY", Syntax.secret, "Key of the Messages API. Not set: tasks are refused."),
    baseUrl: optional("ANTHROPIC_BASE_URL", Syntax.httpUrl, "Where the Messages API is. Not set: Anthropic's own."),
    script: optional("ERRAND_SCRIPT", Syntax.anyText, "File with the conversation that ERRAND_MODEL=scripted plays."),
    prices: optional("ERRAND_PRICES", Syntax.anyText, "JSON file with prices of models, beside the built-in ones."),
    silence: withDefault(
      "ERRAND_MODEL_SILENCE",
      Syntax.timeSpan(100, 3_600_000),
      "2m",
      "Time without a byte from the model after which a turn is repeated."
    ),
    commandSilence: withDefault(
      "ERRAND_COMMAND_SILENCE",
      Syntax.timeSpan(100, 3_600_000),
      "10m",
      "Time without output after which a command in a sandbox is killed, and the model told so."
    ),
    trustedGitHosts: withDefault(
      "ERRAND_TRUSTED_GIT_HOSTS",
      Syntax.hostList,
      "",
      "Git hosts on private addresses or plain http:// that tasks may use: host or host:port, divided by commas."
    ),
    allowLocalRepositories: withDefault(
      "ERRAND_ALLOW_LOCAL_REPOSITORIES",
      Syntax.truth,
      "false",
      "Whether tasks may use repositories in the server's own file system."
    ),
    ciChanges: withDefault(
      "ERRAND_CI_CHANGES",
      Syntax.oneOf("allow", "ask", "refuse"),
      "ask",
      "Before a push that changes CI definitions: allow it, ask a person, or refuse it. Tasks that ask for approvals always ask."
    ),
    ciPaths: withDefault(
      "ERRAND_CI_PATHS",
      Syntax.pathPatterns,
      "",
      "More paths that count as CI definitions: files, directories or patterns with * and **, divided by commas."
    ),
    logFormat: optional(
      "ERRAND_LOG_FORMAT",
      Syntax.oneOf(...logFormats),
      "How the server writes its log, on standard error: pretty, logfmt or json. Not set: pretty in a terminal, logfmt elsewhere."
    ),
    logLevel: withDefault("ERRAND_LOG_LEVEL", Syntax.oneOf(...logLevels), "info", "The least of what it logs."),
    ...otlpVariables
  }
}

export type EnvironmentVariables = ReturnType<typeof variablesOn>
