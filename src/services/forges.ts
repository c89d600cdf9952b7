/**
 * Which forge a repository lives at, by its URL alone.
 *
 * Owns: matching URLs with the forges of the settings. Pure.
 * Does not own: asking a forge for anything (`Forge.ts`).
 */
import { Either, Option } from "effect"
import type { Settings } from "./AppConfig.ts"
import { parse, type RepositoryUrl } from "./RepositoryUrl.ts"

export interface ForgePlace {
  readonly kind: "github" | "gitea"
  /** As credentials are stored for it. */
  readonly host: string
  /** Base URL of its API, without a slash at its end. */
  readonly api: string
  /** Who the repository belongs to, and what it is called there. */
  readonly repository: { readonly owner: string; readonly repo: string }
}

interface Known {
  readonly kind: ForgePlace["kind"]
  readonly web: URL
  readonly api: string
}

const knownTo = ({ forges, github }: Settings): ReadonlyArray<Known> => [
  { kind: "github", web: new URL(github.url), api: github.apiUrl },
  ...forges.map(({ url }): Known => ({ kind: "gitea", web: new URL(url), api: `${url}/api/v1` }))
]

const scpLike = /^git@[^:/]+:(.*)$/

const pathOf = ({ url }: RepositoryUrl): string => scpLike.exec(url)?.[1] ?? new URL(url).pathname

/** Over SSH a forge has a port of its own, and no path before its repositories. */
const placeAt = (url: RepositoryUrl, { api, kind, web }: Known): Option.Option<ForgePlace> => {
  const bySsh = url.scheme === "ssh"
  const isThere = bySsh ? url.host.replace(/:\d+$/, "") === web.hostname : url.host === web.host
  const base = bySsh ? "/" : `${web.pathname.replace(/\/$/, "")}/`
  const path = `/${pathOf(url).replace(/^\//, "")}`
  if (!isThere || !path.startsWith(base)) return Option.none()
  const [owner, name, ...more] = path.slice(base.length).replace(/\/$/, "").split("/")
  const repo = name?.replace(/\.git$/, "")
  return owner === undefined || owner === "" || repo === undefined || repo === "" || more.length > 0
    ? Option.none()
    : Option.some({ kind, host: url.host, api, repository: { owner, repo } })
}

/** None where Errand knows of no forge: plain git works there, pull requests do not. */
export const forgeOf = (text: string, settings: Settings): Option.Option<ForgePlace> =>
  Either.match(parse(text, { trustedHosts: settings.trustedGitHosts, allowLocal: false }), {
    onLeft: () => Option.none(),
    onRight: (url) => Option.firstSomeOf(knownTo(settings).map((known) => placeAt(url, known)))
  })
