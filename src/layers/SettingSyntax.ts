/**
 * How the value of a setting is written.
 *
 * Owns: one parser for each kind of value. A parser that refuses says what to write instead.
 * Does not own: which settings exist (`AppConfigEnv.ts`).
 */
import { Either, Redacted } from "effect"
import { publicRegistries, type Registries, type RegistryName, registryNames } from "../services/Registries.ts"

/** Left is the remedy: words that complete "Use …". */
export type Syntax<A> = (text: string) => Either.Either<A, string>

export const anyText: Syntax<string> = Either.right

export const secret: Syntax<Redacted.Redacted> = (text) => Either.right(Redacted.make(text))

export const longSecret =
  (characters: number): Syntax<Redacted.Redacted> =>
  (text) =>
    text.length >= characters
      ? Either.right(Redacted.make(text))
      : Either.left(`at least ${characters} random characters, for example from "openssl rand -base64 48"`)

const truths: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  1: true,
  false: false,
  no: false,
  off: false,
  0: false
}

export const truth: Syntax<boolean> = (text) => {
  const value = truths[text.toLowerCase()]
  return value === undefined ? Either.left("true or false") : Either.right(value)
}

export const oneOf =
  <const Values extends ReadonlyArray<string>>(...values: Values): Syntax<Values[number]> =>
  (text) => {
    const value = values.find((candidate) => candidate === text)
    return value === undefined ? Either.left(values.join(" or ")) : Either.right(value)
  }

const between = (pattern: RegExp, kind: string, least: number, most: number): Syntax<number> => {
  const remedy = Either.left(`${kind} from ${least} to ${most}`)
  return (text) => {
    const value = pattern.test(text) ? Number(text) : Number.NaN
    return value >= least && value <= most ? Either.right(value) : remedy
  }
}

export const wholeNumber = (least: number, most: number) => between(/^\d{1,15}$/, "a whole number", least, most)

export const decimalNumber = (least: number, most: number) =>
  between(/^\d{1,9}(?:\.\d{1,9})?$/, "a number", least, most)

const byteUnits = { b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 } as const

const isKeyOf = <Units extends object>(units: Units, key: string): key is Extract<keyof Units, string> =>
  Object.hasOwn(units, key)

/** Bytes, with the binary units that Docker knows: `512m`, `2g`, `1.5gb`, `1GiB`. A bare number is bytes. */
export const byteSize =
  (least: number, leastText: string): Syntax<number> =>
  (text) => {
    const [, amount, unit = "b"] = /^(\d{1,15}(?:\.\d{1,3})?)\s*([bkmgt])?(?:i?b)?$/.exec(text.toLowerCase()) ?? []
    const bytes = amount !== undefined && isKeyOf(byteUnits, unit) ? Math.floor(Number(amount) * byteUnits[unit]) : 0
    return bytes >= least && Number.isSafeInteger(bytes)
      ? Either.right(bytes)
      : Either.left(`a size of ${leastText} or more, such as 512m or 2g`)
  }

const timeUnits = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const

/** Milliseconds, written `500ms`, `30s`, `2m` or `1h`. A bare number is seconds. */
export const timeSpan =
  (least: number, most: number): Syntax<number> =>
  (text) => {
    const [, amount, unit = "s"] = /^(\d{1,9}(?:\.\d{1,3})?)\s*(ms|s|m|h)?$/.exec(text.toLowerCase()) ?? []
    const ms = amount !== undefined && isKeyOf(timeUnits, unit) ? Math.round(Number(amount) * timeUnits[unit]) : 0
    return ms >= least && ms <= most
      ? Either.right(ms)
      : Either.left(`a time from ${least} ms to ${most / 1000} s, such as 30s or 2m`)
  }

/** A base URL; a slash at its end is dropped, so that paths can be added. */
export const httpUrl: Syntax<string> = (text) => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const plain = url !== undefined && url.username === "" && url.password === "" && url.search === "" && url.hash === ""
  return plain && (url.protocol === "http:" || url.protocol === "https:")
    ? Either.right(url.href.replace(/\/+$/, ""))
    : Either.left("a URL that starts with https:// or http://, without user, query or fragment")
}

/** The address of a container engine, as `DOCKER_HOST` has it. */
export const engineAddress: Syntax<string> = (text) =>
  /^(?:unix:\/\/\/.+|(?:tcp|https?):\/\/[^\s/]+\/?)$/.test(text)
    ? Either.right(text)
    : Either.left("unix:///path/to/docker.sock or tcp://host:port (for ssh, forward the socket with ssh -L)")

const gitHost = /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/

/** `host[:port]` entries divided by commas, in lower case. */
export const hostList: Syntax<ReadonlyArray<string>> = (text) => {
  const hosts = text
    .split(",")
    .map((host) => host.trim().toLowerCase())
    .filter((host) => host !== "")
  return hosts.every((host) => gitHost.test(host))
    ? Either.right(hosts)
    : Either.left("host or host:port, several divided by commas, without a scheme or a path")
}

const login = /^[a-z0-9]+(?:[-_][a-z0-9]+)*$/

const isOrganization = (entry: string) => entry.startsWith("org:")

/** Logins and `org:NAME` entries divided by commas, in lower case. */
export const loginList: Syntax<{
  readonly users: ReadonlyArray<string>
  readonly organizations: ReadonlyArray<string>
}> = (text) => {
  const entries = text
    .split(",")
    .map((entry) => entry.trim().toLowerCase())
    .filter((entry) => entry !== "")
  const users = entries.filter((entry) => !isOrganization(entry))
  const organizations = entries.filter(isOrganization).map((entry) => entry.slice("org:".length).trim())
  return [...users, ...organizations].every((name) => login.test(name))
    ? Either.right({ users, organizations })
    : Either.left("logins and org:NAME, several divided by commas, as in alice,org:acme")
}

// eslint-disable-next-line no-control-regex -- control characters are what this refuses
const pathPattern = /^(?![:/])(?!(?:.*\/)?\.\.(?:\/|$))[^\u0000-\u001f\u007f]{1,200}$/

/** Paths from the root of a repository, with `*` inside of a name and `**` for any directories. */
export const pathPatterns: Syntax<ReadonlyArray<string>> = (text) => {
  const patterns = text
    .split(",")
    .map((pattern) => pattern.trim())
    .filter((pattern) => pattern !== "")
  return patterns.length <= 100 && patterns.every((pattern) => pathPattern.test(pattern))
    ? Either.right(patterns)
    : Either.left("paths from the root of a repository such as deploy/ci.yml or **/pipeline.yml, divided by commas")
}

const isRegistryName = (name: string): name is RegistryName => registryNames.some((known) => known === name)

/** `name=url` entries divided by commas; a registry that is not named stays the public one. */
export const registries: Syntax<Registries> = (text) => {
  const given: Partial<Record<RegistryName, Registries[RegistryName]>> = {}
  for (const entry of text.split(",").filter((part) => part.trim() !== "")) {
    const [, name = "", url = ""] = /^\s*([a-z]+)\s*=\s*(\S+)\s*$/.exec(entry) ?? []
    const parsed = httpUrl(url)
    if (!isRegistryName(name) || given[name] !== undefined || Either.isLeft(parsed)) {
      return Either.left(
        `name=url entries divided by commas, each name once (${registryNames.join(", ")}), each url with https:// or http://`
      )
    }
    given[name] = { url: parsed.right, trusted: true }
  }
  return Either.right({ ...publicRegistries, ...given })
}

const gitea = "gitea="

/** `gitea=<URL>` entries divided by commas. */
export const forgeList: Syntax<ReadonlyArray<{ readonly kind: "gitea"; readonly url: string }>> = (text) =>
  Either.all(
    text
      .split(",")
      .map((entry) => entry.trim())
      .filter((entry) => entry !== "")
      .map((entry) =>
        entry.startsWith(gitea)
          ? Either.map(httpUrl(entry.slice(gitea.length)), (url) => ({ kind: "gitea" as const, url }))
          : Either.left("")
      )
  ).pipe(Either.mapLeft(() => "gitea=https://host, several divided by commas"))

/** A login, as GitHub has them. */
export const botName: Syntax<string> = (text) =>
  /^[a-z\d](?:[a-z\d-]{0,37}[a-z\d])?$/i.test(text)
    ? Either.right(text)
    : Either.left("1 to 39 letters, digits and hyphens, without the @")

/** Words divided by commas. */
export const wordList: Syntax<ReadonlyArray<string>> = (text) =>
  Either.right(
    text
      .split(",")
      .map((word) => word.trim())
      .filter((word) => word !== "")
  )

/** Absolute URIs divided by commas, without a fragment and without characters that a header can't carry. */
export const uriList: Syntax<ReadonlyArray<string>> = (text) => {
  const uris = text
    .split(",")
    .map((uri) => uri.trim())
    .filter((uri) => uri !== "")
  return uris.every((uri) => /^[a-z][a-z0-9+.-]*:[\x21-\x7e]+$/i.test(uri) && URL.canParse(uri) && !uri.includes("#"))
    ? Either.right(uris)
    : Either.left("whole URIs without a fragment, several divided by commas, as in errand://signed-in")
}
