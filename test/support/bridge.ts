/** Services on loopback, as containers on the engine's bridge reach them. */
import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Server } from "node:net"
import { docked } from "./docker.ts"

export class Bridge {
  readonly #servers: Array<Server> = []

  /** Carries connections to a port of loopback; gives the address and port for containers. */
  async carry(port: number): Promise<string> {
    const address = await docked("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", "bridge")
    const server = createServer((inside) => {
      const outside = connect(port, "127.0.0.1")
      inside.pipe(outside).pipe(inside)
      inside.on("error", () => outside.destroy())
      outside.on("error", () => inside.destroy())
    })
    this.#servers.push(server)
    await once(server.listen(0, address), "listening")
    return `${address}:${(server.address() as AddressInfo).port}`
  }

  close(): void {
    for (const server of this.#servers) server.close()
  }
}
