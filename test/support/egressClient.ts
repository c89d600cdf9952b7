/** A client of the proxy that says exactly what a test says. */
import { connect, createServer, type Server, type Socket } from "node:net"
import { once } from "node:events"
import { connect as connectTls } from "node:tls"
import { Duplex } from "node:stream"
import { setImmediate } from "node:timers/promises"

export interface RawAnswer {
  /** The status line; empty when the connection was closed without an answer. */
  readonly line: string
  readonly text: string
}

const collect = (socket: Socket): Promise<string> =>
  new Promise((resolve) => {
    let text = ""
    socket.on("data", (piece: Buffer) => (text += piece.toString("latin1")))
    socket.on("error", () => {})
    socket.on("close", () => resolve(text))
  })

/** Not more at once than an answer in between would stop: a write to a closed socket loses what has come. */
const sendingSize = 8_192

/** Sends bytes and gives everything that comes until the proxy closes. */
export const say = async (path: string, ...pieces: ReadonlyArray<string | Buffer>): Promise<RawAnswer> => {
  const socket = connect({ path })
  const answer = collect(socket)
  const words = Buffer.concat(pieces.map((piece) => Buffer.from(piece)))
  for (let at = 0; at < words.length && socket.bytesRead === 0 && !socket.closed; at += sendingSize) {
    socket.write(words.subarray(at, at + sendingSize))
    await setImmediate()
  }
  const text = await answer
  return { line: text.slice(0, text.indexOf("\r\n")), text }
}

export const connectRequest = (authority: string): string => `CONNECT ${authority} HTTP/1.1\r\nHost: x\r\n\r\n`

/** Opens a tunnel; the socket is silent when it was refused with an answer. */
export const openTunnel = async (path: string, authority: string): Promise<{ socket: Socket; line: string }> => {
  const socket = connect({ path })
  socket.on("error", () => {})
  socket.write(connectRequest(authority))
  const [head] = (await once(socket, "data")) as [Buffer]
  const text = head.toString("latin1")
  return { socket, line: text.slice(0, text.indexOf("\r\n")) }
}

/** Says `words` inside a tunnel and gives what comes until it is closed. */
export const sayInTunnel = async (path: string, authority: string, words: Buffer | string): Promise<RawAnswer> => {
  const { line, socket } = await openTunnel(path, authority)
  const answer = collect(socket)
  socket.write(words)
  return { line, text: await answer }
}

/** The first bytes of a real TLS client. */
export const clientHello = (servername: string | undefined): Promise<Buffer> =>
  new Promise((resolve) => {
    const wire = new Duplex({
      read() {},
      write(piece: Buffer, _encoding, done) {
        resolve(piece)
        done()
      }
    })
    const client = connectTls({ socket: wire, ...(servername === undefined ? {} : { servername }) })
    client.on("error", () => {})
  })

/** A server on loopback that answers whatever comes first with `greeting`, and remembers all it got. */
export class Listener {
  readonly got: Array<Buffer> = []
  connections = 0
  #server: Server | undefined

  async listen(greeting = "hello from upstream"): Promise<number> {
    this.#server = createServer((socket) => {
      this.connections++
      socket.on("error", () => {})
      socket.on("data", (piece: Buffer) => {
        this.got.push(piece)
        socket.end(greeting)
      })
    })
    this.#server.listen(0, "127.0.0.1")
    await once(this.#server, "listening")
    const address = this.#server.address()
    return typeof address === "object" && address !== null ? address.port : 0
  }

  close(): void {
    this.#server?.close()
  }
}
