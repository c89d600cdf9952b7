/**
 * Which repositories a task may name.
 *
 * Owns: the grammar of repository URLs and the rule for hosts. Nothing is repaired: what is not canonical is refused.
 * Does not own: where the host's name leads (`layers/` checks addresses when it connects).
 */
import { Either, Schema } from "effect"
import type { Settings } from "./AppConfig.ts"

export class RepositoryUrlRefused extends Schema.TaggedError<RepositoryUrlRefused>()("RepositoryUrlRefused", {
  reason: Schema.String
}) {
  override get message() {
    return `This repository URL is refused: ${this.reason}.`
  }
}

export interface UrlPolicy {
  /** `host[:port]`, lower case. */
  readonly trustedHosts: ReadonlyArray<string>
  readonly allowLocal: boolean
}

export const policyOf = (settings: Pick<Settings, "trustedGitHosts" | "allowLocalRepositories">): UrlPolicy => ({
  trustedHosts: settings.trustedGitHosts,
  allowLocal: settings.allowLocalRepositories
})

/** A URL that may be used, in parts. `host` has its port only when that is not the scheme's own. */
export interface RepositoryUrl {
  readonly scheme: "https" | "http" | "ssh" | "file"
  readonly host: string
  readonly trusted: boolean
  readonly url: string
}

// eslint-disable-next-line no-control-regex -- control characters are what this looks for
const unsafeCharacters = /[\u0000-\u0020\u007f-\u00a0\u2028\u2029\u3000\ufeff\\]/u
const scpLike = /^git@([a-z0-9.-]+):(?!\/\/)([A-Za-z0-9._~/-]+)$/
const hostName = /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const path = /^\/(?:[A-Za-z0-9._~@+-]+\/)*[A-Za-z0-9._~@+-]+\/?$/

const refuse = (reason: string) => Either.left(new RepositoryUrlRefused({ reason }))

const notCanonical = refuse("it is not written as a canonical URL")

const isAddress = (host: string) => /^[\d.]+$/.test(host) || host.includes(":") || /^0x/i.test(host)

/** The ways in which one and the same repository is named. */
export type Spellings = ReadonlyArray<string>

/** Hosts serve a repository with and without `.git` and a slash at the end of its path. */
export const spellings = (url: string): Spellings => {
  const plain = url.replace(/\/$/, "").replace(/\.git$/, "")
  return [plain, `${plain}/`, `${plain}.git`, `${plain}.git/`]
}

/** Checks a URL as a user wrote it. Hosts that are bare addresses or have no dot must be trusted ones. */
export const parse = (text: string, policy: UrlPolicy): Either.Either<RepositoryUrl, RepositoryUrlRefused> => {
  if (text.length === 0 || text.length > 2048) return refuse("it must have 1 to 2048 characters")
  const isPath = text.startsWith("/")
  if (unsafeCharacters.test(isPath ? text.replaceAll(" ", "") : text))
    return refuse("it contains spaces, control characters or backslashes")
  if (text.startsWith("-")) return refuse("it starts with a hyphen, as an option does")
  const scp = scpLike.exec(text)
  if (scp !== null) return remote("ssh", scp[1] ?? "", `/${scp[2] ?? ""}`, text, policy)
  if (isPath) return local(text, text, policy)
  if (!URL.canParse(text)) return refuse("it is not a URL; use https://host/owner/repository")
  const url = new URL(text)
  if (url.protocol === "file:") {
    return text === `file://${url.pathname}` ? local(url.pathname, text, policy) : notCanonical
  }
  const scheme = url.protocol.slice(0, -1)
  if (scheme !== "https" && scheme !== "http" && scheme !== "ssh") {
    return refuse("only https:// and ssh:// (and http:// to trusted hosts) can be used")
  }
  if (url.password !== "" || (url.username !== "" && !(scheme === "ssh" && url.username === "git"))) {
    return refuse("it contains user information; store a credential with PUT /git-credentials/{host} instead")
  }
  if (url.search !== "" || url.hash !== "" || text.includes("?") || text.includes("#")) {
    return refuse("it has a query or a fragment")
  }
  // Git and curl read the text itself: it must lead them where the URL that was checked leads.
  if (text !== `${scheme}://${url.username === "" ? "" : "git@"}${url.host}${url.pathname}`) return notCanonical
  return remote(scheme, url.host, url.pathname, text, policy)
}

/** The host that a credential must be for; null when the URL may not be used any more. */
export const hostOf = (text: string, policy: UrlPolicy): string | null =>
  Either.match(parse(text, policy), { onLeft: () => null, onRight: ({ host }) => host })

const remote = (
  scheme: "https" | "http" | "ssh",
  host: string,
  pathname: string,
  text: string,
  policy: UrlPolicy
): Either.Either<RepositoryUrl, RepositoryUrlRefused> => {
  const trusted = policy.trustedHosts.includes(host)
  const name = host.replace(/:\d+$/, "")
  if (!path.test(pathname) || /(?:^|\/)\.{1,2}(?:\/|$)/.test(pathname) || /\/-/.test(pathname)) {
    return refuse("its path must be plain names divided by single slashes")
  }
  if (!trusted) {
    if (scheme === "http") return refuse("plain http:// is only for hosts in ERRAND_TRUSTED_GIT_HOSTS")
    if (isAddress(name) || !name.includes(".")) {
      return refuse("addresses and local names are only for hosts in ERRAND_TRUSTED_GIT_HOSTS")
    }
    if (!hostName.test(name)) return refuse("its host is not a canonical lower-case name")
  }
  return Either.right({ scheme, host, trusted, url: text })
}

const local = (
  pathname: string,
  text: string,
  policy: UrlPolicy
): Either.Either<RepositoryUrl, RepositoryUrlRefused> =>
  policy.allowLocal && pathname.startsWith("/") && !/(?:^|\/)\.{1,2}(?:\/|$)/.test(pathname)
    ? Either.right({ scheme: "file", host: "", trusted: true, url: text })
    : refuse("local paths are only for the demo or with ERRAND_ALLOW_LOCAL_REPOSITORIES=true")
