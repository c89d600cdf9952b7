/**
 * Checks of the forges that the settings name: whether they answer from here, which sign-in and pull requests need.
 */
import { FetchHttpClient, HttpClient } from "@effect/platform"
import { Effect, Option } from "effect"
import { AppConfig, type Settings } from "../../services/AppConfig.ts"
import { type Finding, ok, warning } from "./Finding.ts"

const patience = "5 seconds"

interface Asked {
  readonly url: string
  /** Answered to anybody, be it with a no. */
  readonly api: string
  readonly settings: string
}

/** GitHub is asked where people sign in with it; without that it is there for whom a task names it. */
const named = ({ forges, github }: Settings): ReadonlyArray<Asked> => [
  ...Option.toArray(github.app).map(() => ({
    url: github.url,
    api: `${github.apiUrl}/meta`,
    settings: "ERRAND_GITHUB_URL and ERRAND_GITHUB_API_URL"
  })),
  ...forges.map(({ url }) => ({ url, api: `${url}/api/v1/version`, settings: "ERRAND_FORGES" }))
]

const ask = ({ api, settings, url }: Asked) =>
  Effect.flatMap(HttpClient.HttpClient, (client) =>
    HttpClient.filterStatus(client, (status) => status < 500).get(api)
  ).pipe(
    Effect.scoped,
    Effect.timeout(patience),
    Effect.match({
      onSuccess: () => ok("forge", `${url} answers`),
      onFailure: (error): Finding =>
        warning(
          "forge",
          `${url} does not answer from here: ${error._tag === "TimeoutException" ? `nothing within ${patience}` : error.message}`,
          `See whether this machine reaches it, and ${settings}: until then nobody signs in there, and no pull requests are opened.`
        )
    })
  )

export const checkForges = Effect.flatMap(AppConfig, (settings) =>
  Effect.forEach(named(settings), ask, { concurrency: "unbounded" })
).pipe(
  // @effect-diagnostics-next-line strictEffectProvide:off -- a command is an entry point
  Effect.provide(FetchHttpClient.layer)
)
