/** Points around every request to the Docker engine. */
import * as Engine from "../../../src/sandbox/engine.ts"
import { passing } from "../faultPoint.ts"

export * from "../../../src/sandbox/engine.ts"

interface Request {
  readonly method: string
  readonly path: string
}
type Callback = (error: unknown, answer: unknown) => void
type Dial = (request: Request, callback: Callback) => void

const nameOf = ({ method, path }: Request): string | undefined => {
  if (method === "DELETE") return path.startsWith("/containers/") ? "remove" : undefined
  return (
    /^\/containers\/(?:[^/?]+\/)?(?<verb>create|attach|start)\?/.exec(`${path}?`)?.groups?.["verb"] ??
    (path.startsWith("/containers/json") ? "list" : path.startsWith("/volumes") ? "volumes" : undefined)
  )
}

const errno = (code: string) => Object.assign(new Error(`connect ${code}`), { code })

export const connect = (...address: Parameters<typeof Engine.connect>): Engine.Engine => {
  const engine = Engine.connect(...address)
  const { modem } = engine.docker
  const dial: Dial = modem.dial.bind(modem)
  const watched: Dial = (request, callback) => {
    const name = nameOf(request)
    if (name === undefined) return dial(request, callback)
    const before = () => callback(errno("ECONNREFUSED"), null)
    const after = () => callback(errno("ECONNRESET"), null)
    passing(
      `engine.${name}:before`,
      () => dial(request, (error, answer) => passing(`engine.${name}:after`, () => callback(error, answer), after)),
      before
    )
  }
  modem.dial = watched
  return engine
}
