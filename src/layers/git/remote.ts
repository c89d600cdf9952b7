/**
 * The way to one remote: the protocol it needs and no other, the address its name leads to, the owner's credential.
 */
import { Effect, Either, Option, Redacted } from "effect"
import { lookup } from "node:dns/promises"
import { RemoteFailed, type StoreKey } from "../../services/GitStore.ts"
import { parse, type RepositoryUrl, type UrlPolicy } from "../../services/RepositoryUrl.ts"
import type { Access, FindAccess } from "../forge/access.ts"
import { isPublicAddress } from "./addresses.ts"
import { safe, settings } from "./environment.ts"
import { refused } from "./failures.ts"
import type { GitCall } from "./process.ts"

/** What every call to a remote has in common; `args` stand before the command. */
export interface Remote extends Pick<GitCall, "env" | "secret"> {
  readonly host: string
  readonly url: string
  readonly args: ReadonlyArray<string>
  /** There when the owner's sign-in is used: what to do once the host refuses it. */
  readonly signInRefused?: Effect.Effect<void>
}

/** All addresses of a name. */
export type Resolve = (name: string) => Effect.Effect<ReadonlyArray<string>, RemoteFailed>

export const resolveBySystem: Resolve = (name) =>
  Effect.tryPromise(() => lookup(name, { all: true })).pipe(
    Effect.map((found) => found.map(({ address }) => address)),
    Effect.timeout("10 seconds"),
    Effect.mapError(
      () => new RemoteFailed({ reason: "network", retryable: true, detail: `The name ${name} leads to no address.` })
    )
  )

export interface Surroundings {
  readonly policy: UrlPolicy
  readonly access: FindAccess
  readonly resolve: Resolve
  /** File in which the keys of SSH hosts are remembered. */
  readonly knownHosts: string
}

type Found = Option.Option<Access>

/** SSH takes no token of a sign-in. */
const findAccess = ({ access }: Surroundings, { owner }: StoreKey, { host, scheme }: RepositoryUrl) => {
  if (scheme === "file") return Effect.succeed<Found>(Option.none())
  if (scheme === "ssh") return access.stored(owner, host)
  return Effect.mapError(
    access.find(owner, host),
    ({ message }) => new RemoteFailed({ reason: "network", retryable: true, detail: message })
  )
}

export const makeConnect =
  (around: Surroundings) =>
  (key: StoreKey): Effect.Effect<Remote, RemoteFailed> =>
    Effect.gen(function* () {
      const url = yield* Either.mapLeft(parse(key.url, around.policy), ({ message }) => refused(message))
      const stored = yield* findAccess(around, key, url)
      const addresses = url.trusted ? [] : yield* publicAddresses(url, around.resolve)
      const remote = { host: url.host, url: url.url }
      switch (url.scheme) {
        case "file":
          return { ...remote, args: [...safe, ...allow("file")] }
        case "ssh":
          return { ...remote, args: [...safe, ...allow("ssh")], ...(yield* bySsh(url, stored, addresses, around)) }
        default:
          return { ...remote, ...byHttp(url, url.scheme, stored, addresses), ...renewal(around, key, url, stored) }
      }
    })

/** What a sign-in needs that the host refused; a credential that was stored by hand stays as it is. */
const renewal = ({ access }: Surroundings, { owner }: StoreKey, { host }: RepositoryUrl, found: Found) =>
  Option.match(
    Option.filter(found, ({ signedIn }) => signedIn),
    { onNone: () => ({}), onSome: (signIn) => ({ signInRefused: access.refused(owner, host, signIn) }) }
  )

const allow = (protocol: string) => settings({ [`protocol.${protocol}.allow`]: "always" })

const publicAddresses = Effect.fnUntraced(function* ({ host }: RepositoryUrl, resolve: Resolve) {
  const addresses = yield* resolve(nameOf(host))
  if (addresses.length > 0 && addresses.every(isPublicAddress)) return addresses
  return yield* refused(
    `The name ${host} leads to an address that is not public. The operator can allow it with ERRAND_TRUSTED_GIT_HOSTS.`
  )
})

const nameOf = (host: string) => host.replace(/:\d+$/, "")

/** Seconds with less than a kilobyte a second after which a transfer counts as broken off. */
const stall = { "http.lowSpeedLimit": 1000, "http.lowSpeedTime": 60 }

/** A stored token goes to its own host only. The helper answers when it is asked for it, not when it is told to forget. */
const tokenHelper = '!f() { test "$1" != get || cat <&3; }; f'

const byHttp = (
  { host }: RepositoryUrl,
  scheme: "http" | "https",
  stored: Found,
  addresses: ReadonlyArray<string>
): Pick<Remote, "args" | "secret"> => {
  const port = /:(\d+)$/.exec(host)?.[1] ?? (scheme === "https" ? "443" : "80")
  const pinned = addresses.map((address) => (address.includes(":") ? `[${address}]` : address)).join(",")
  const args = [
    ...safe,
    ...allow(scheme),
    ...settings(stall),
    ...(pinned === "" ? [] : settings({ "http.curloptResolve": `${nameOf(host)}:${port}:${pinned}` }))
  ]
  if (Option.isNone(stored) || stored.value.kind !== "token") return { args }
  return {
    args: [...args, ...settings({ [`credential.${scheme}://${host}.helper`]: tokenHelper })],
    secret: Redacted.make(answerOf(host, Redacted.value(stored.value.value)))
  }
}

/** A line break would begin another field of git's credential protocol. */
const field = (text: string) => text.replace(/[\r\n\0]/g, "")

/** Forges take any user name with a token, but for Bitbucket; `name:token` says another one. */
const answerOf = (host: string, value: string) => {
  const colon = value.indexOf(":")
  const user = host === "bitbucket.org" ? "x-token-auth" : "x-access-token"
  const [name, token] = colon > 0 ? [value.slice(0, colon), value.slice(colon + 1)] : [user, value]
  return `username=${field(name)}\npassword=${field(token)}\n`
}

const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`

/** The key is held by an agent of this one connection, which reads it from the descriptor: no file ever has it. */
const withAgent =
  'exec ssh-agent sh -c \'ssh-add -q - <&3 || exit 255; "$@"; code=$?; kill "$SSH_AGENT_PID"; exit $code\' sh'

const bySsh = Effect.fnUntraced(function* (
  { host }: RepositoryUrl,
  stored: Found,
  addresses: ReadonlyArray<string>,
  { knownHosts }: Surroundings
) {
  if (Option.isNone(stored) || stored.value.kind !== "ssh_key") {
    return yield* new RemoteFailed({
      reason: "auth",
      retryable: false,
      detail: `The git server ${host} needs a key. Store one with PUT /git-credentials/${host} and the kind ssh_key.`
    })
  }
  const name = nameOf(host)
  const options = {
    BatchMode: "yes",
    StrictHostKeyChecking: "accept-new",
    UserKnownHostsFile: quote(`"${knownHosts}"`),
    GlobalKnownHostsFile: "/dev/null",
    ConnectTimeout: "20",
    ServerAliveInterval: "15",
    ForwardAgent: "no",
    ...(addresses[0] === undefined ? {} : { HostName: addresses[0], HostKeyAlias: name, CheckHostIP: "no" })
  }
  const ssh = ["ssh", "-F", "/dev/null", ...Object.entries(options).map(([option, value]) => `-o ${option}=${value}`)]
  const key = Redacted.value(stored.value.value)
  return {
    env: { GIT_SSH_COMMAND: `${withAgent} ${ssh.join(" ")}`, GIT_SSH_VARIANT: "ssh" },
    secret: Redacted.make(key.endsWith("\n") ? key : `${key}\n`)
  }
})
