/**
 * What git on the host sees of the world, and how it is set: nothing of the machine's or the user's own configuration.
 */
import { Config, Effect } from "effect"

/** The server's own variables that git needs: where programs are, and which certificates the operator trusts. */
const inherited = Config.all({
  PATH: Config.string("PATH").pipe(Config.withDefault("/usr/local/bin:/usr/bin:/bin")),
  SSL_CERT_FILE: Config.string("SSL_CERT_FILE").pipe(Config.withDefault("")),
  SSL_CERT_DIR: Config.string("SSL_CERT_DIR").pipe(Config.withDefault("")),
  GIT_SSL_CAINFO: Config.string("GIT_SSL_CAINFO").pipe(Config.withDefault(""))
})

export const environment = Effect.map(inherited, (own): Readonly<Record<string, string>> => ({
  ...Object.fromEntries(Object.entries(own).filter(([, value]) => value !== "")),
  HOME: "/nonexistent",
  LANG: "C",
  LC_ALL: "C",
  TZ: "UTC",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_ATTR_NOSYSTEM: "1",
  GIT_TERMINAL_PROMPT: "0",
  GIT_ASKPASS: "/bin/false",
  SSH_ASKPASS: "/bin/false",
  GIT_NO_REPLACE_OBJECTS: "1",
  GIT_LITERAL_PATHSPECS: "1",
  GIT_OPTIONAL_LOCKS: "0"
}))

/** Settings as arguments. */
export const settings = (values: Readonly<Record<string, string | number | boolean>>): ReadonlyArray<string> =>
  Object.entries(values).flatMap(([name, value]) => ["-c", `${name}=${value}`])

/** Files beyond this are never held in memory, and differ as a whole. */
const bigFile = "50m"

/** For every command: runs nothing of a repository's, reaches nothing, looks into what it takes, cleans up nothing by itself. */
export const safe = settings({
  "core.hooksPath": "/dev/null",
  "core.fsmonitor": false,
  "core.alternateRefsCommand": "true",
  "core.bigFileThreshold": bigFile,
  "core.packedGitWindowSize": "32m",
  "core.packedGitLimit": "256m",
  "protocol.allow": "never",
  "transfer.fsckObjects": true,
  "fetch.recurseSubmodules": false,
  "submodule.recurse": false,
  "push.recurseSubmodules": "no",
  "http.followRedirects": false,
  "gc.auto": 0,
  "maintenance.auto": false,
  "pack.threads": 1,
  "pack.windowMemory": "64m"
})
