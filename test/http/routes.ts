/** Every route of the API, read from its definition, with a path that names something of somebody. */
import { HttpApi } from "@effect/platform"
import { Api } from "../../src/http/Api.ts"

export interface Route {
  readonly name: string
  readonly method: string
  readonly path: string
  readonly group: string
}

export const routes: ReadonlyArray<Route> = (() => {
  const found: Array<Route> = []
  HttpApi.reflect(Api, {
    onGroup: () => undefined,
    onEndpoint: ({ endpoint, group }) =>
      void found.push({
        name: `${endpoint.method} ${endpoint.path}`,
        method: endpoint.method,
        path: endpoint.path,
        group: group.identifier
      })
  })
  return found
})()

/** Those that only a signed-in user may use. */
export const usersRoutes = routes.filter(({ group }) => group !== "system" && group !== "auth")

export const fill = (path: string, values: Readonly<Record<string, string>>) =>
  path.replace(/:(\w+)/g, (_, name: string) => values[name] ?? name)

/** A body that a route accepts, as far as it takes one. */
export const bodyFor = ({ method, path }: Route): unknown => {
  if (method === "GET" || method === "DELETE") return undefined
  if (path.endsWith("/messages")) return { content: "x", mode: "queue" }
  if (path.endsWith("/rewind")) return { checkpoint: "0".repeat(40) }
  if (path.endsWith("/network/hosts")) return { host: "files.example.com" }
  if (path.endsWith("/answer")) return { revision: 1, decision: "allow" }
  if (path.includes("/secrets/")) return { value: "some value", hosts: ["api.example"] }
  if (path.includes("git-credentials")) return { kind: "token", value: "x" }
  if (path.endsWith("/users")) return { login: "invited" }
  if (path.endsWith("/confirm")) return { number: 10 }
  if (path.endsWith("/tasks")) return { repository: { url: "https://git.example/a/b" }, prompt: "x" }
  if (path.endsWith("/schedules"))
    return { cron: "0 6 * * *", task: { repository: { url: "https://git.example/a/b" }, prompt: "x" } }
  return {}
}
