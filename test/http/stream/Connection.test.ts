import { EventEmitter } from "node:events"
import { Socket } from "node:net"
import { describe, expect, it, vi } from "@effect/vitest"
import { WebSocket } from "ws"
import { Connection } from "../../../src/http/stream/Connection.ts"
import { Frame } from "../../../src/http/stream/Frame.ts"

/** A WebSocket that takes everything and sends nothing, over a transport that counts as told. */
const make = () => {
  let unsent = 0
  let written = 0
  const calls: Array<string> = []
  const socket = Object.assign(new EventEmitter(), {
    readyState: WebSocket.OPEN,
    bufferedAmount: 0,
    send: (data: Buffer) => (unsent += data.length),
    close: (code: number) => calls.push(`close ${code}`),
    terminate: () => calls.push("terminate"),
    ping: () => calls.push("ping"),
    pong: () => calls.push("pong")
  })
  Object.defineProperty(socket, "bufferedAmount", { get: () => unsent })
  const transport = new Socket()
  vi.spyOn(transport, "bytesWritten", "get").mockImplementation(() => written)
  const connection = new Connection(Object.setPrototypeOf(socket, WebSocket.prototype), transport, "127.0.0.1")
  return {
    connection,
    socket,
    calls,
    read: (bytes: number) => {
      unsent -= bytes
      written += bytes
    }
  }
}

const large = new Frame(JSON.stringify("x".repeat(100_000)), false)

describe("a connection", () => {
  it("ends with 1013 when the client takes nothing for twenty seconds", () => {
    const { calls, connection } = make()
    connection.outbox.push(large)
    for (let second = 0; second < 19; second++) connection.closeIfStuck()
    expect(calls).toEqual([])
    for (let second = 0; second < 10; second++) connection.closeIfStuck()
    expect(calls).toEqual(["close 1013"])
  })

  it("lives on as long as the client takes something", () => {
    const { calls, connection, read } = make()
    connection.outbox.push(large)
    for (let second = 0; second < 100; second++) {
      if (second % 10 === 0) read(10)
      connection.closeIfStuck()
    }
    expect(calls).toEqual([])
  })

  it("is never stuck without something to take", () => {
    const { calls, connection } = make()
    for (let second = 0; second < 100; second++) connection.closeIfStuck()
    expect(calls).toEqual([])
  })

  it("ends when two pings in a row are not answered", () => {
    const { calls, connection, socket } = make()
    connection.heartbeat()
    connection.heartbeat()
    socket.emit("pong")
    connection.heartbeat()
    connection.heartbeat()
    expect(calls).toEqual(["ping", "ping", "ping", "ping"])
    connection.heartbeat()
    expect(calls.at(-1)).toBe("terminate")
  })

  it("gives previews to those who see them and keep up", () => {
    const { connection, read } = make()
    expect(connection.takesPreviews).toBe(true)
    connection.outbox.push(large)
    expect(connection.takesPreviews).toBe(false)
    read(100_000)
    expect(connection.takesPreviews).toBe(true)
    connection.visible = false
    expect(connection.takesPreviews).toBe(false)
  })

  it("answers pings of a client that keeps up, and of no other", () => {
    const { calls, connection, socket } = make()
    socket.emit("ping", Buffer.alloc(0))
    connection.outbox.push(large)
    socket.emit("ping", Buffer.alloc(0))
    expect(calls).toEqual(["pong"])
  })
})
