/** A server on loopback that nobody should ever reach: it tells of every connection. */
import { Effect, type Scope } from "effect"
import { createServer, type Socket } from "node:net"

export interface Listener {
  readonly port: number
  readonly url: (path: string) => string
  /** The first bytes of each connection. */
  readonly seen: ReadonlyArray<string>
}

export const listenerOn = (host: string): Effect.Effect<Listener, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<{ readonly listener: Listener; readonly close: () => void }>((resume) => {
      const seen: Array<string> = []
      const sockets = new Set<Socket>()
      const server = createServer((socket) => {
        sockets.add(socket)
        const place = seen.push("") - 1
        socket.on("data", (bytes) => (seen[place] = `${seen[place]}${bytes.toString("latin1")}`.slice(0, 500)))
        socket.on("error", () => {})
      })
      server.listen(0, host, () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        const close = () => {
          for (const socket of sockets) socket.destroy()
          server.close()
        }
        resume(Effect.succeed({ listener: { port, url: (path) => `http://127.0.0.1:${port}${path}`, seen }, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  ).pipe(Effect.map(({ listener }) => listener))

export const listener = listenerOn("127.0.0.1")
