/**
 * Which methods a path has, for the answer to a wrong one.
 */
import { HttpApi } from "@effect/platform"
import { Api } from "./Api.ts"
import { streamPath } from "./stream/streamPath.ts"

interface Route {
  readonly method: string
  readonly path: RegExp
}

const toPattern = (path: string) => new RegExp(`^${path.replace(/[.]/g, "\\.").replace(/:\w+/g, "[^/]+")}/?$`)

const readRoutes = (): ReadonlyArray<Route> => {
  const found: Array<Route> = [{ method: "GET", path: toPattern(streamPath) }]
  HttpApi.reflect(Api, {
    onGroup: () => undefined,
    onEndpoint: ({ endpoint }) => void found.push({ method: endpoint.method, path: toPattern(endpoint.path) })
  })
  return found
}

/** Read when somebody errs for the first time: it takes 5 ms of a start. */
let known: ReadonlyArray<Route> | undefined
const routes = () => (known ??= readRoutes())

/** Empty for a path that no route has. */
export const allowedMethods = (url: string): ReadonlyArray<string> => {
  const path = url.split("?", 1)[0] ?? ""
  const methods = routes()
    .filter((route) => route.path.test(path))
    .map((route) => route.method)
  return methods.includes("GET") ? [...new Set([...methods, "HEAD"])] : [...new Set(methods)]
}
