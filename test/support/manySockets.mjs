/**
 * Many connections to one port, from a process of their own: `node manySockets.mjs <port> <count> <words> [<drip>]`.
 *
 * Each says `words`, then `drip` four times a second, and never hangs up, also after the server did. Prints a line
 * of JSON whenever it is asked by a line: how many were opened, answered (with which status), and ended by the server.
 */
import { connect } from "node:net"
import { createInterface } from "node:readline"

const [port, count, words, drip] = process.argv.slice(2)
const seen = { opened: 0, ended: 0, statuses: {} }
const sockets = []

const open = () => {
  const socket = connect({ port: Number(port), host: "127.0.0.1", allowHalfOpen: true })
  let isAnswered = false
  let isEnded = false
  const end = () => {
    if (!isEnded) seen.ended++
    isEnded = true
  }
  socket.on("connect", () => {
    seen.opened++
    if (words !== "") socket.write(words)
    sockets.push(socket)
  })
  socket.on("data", (chunk) => {
    if (isAnswered) return
    isAnswered = true
    const status = chunk.toString("latin1").slice(9, 12)
    seen.statuses[status] = (seen.statuses[status] ?? 0) + 1
  })
  socket.on("end", end).on("close", end)
  socket.on("error", () => undefined)
}

for (let n = 0; n < Number(count); n++) {
  open()
  // As many as wait to be accepted at a time.
  if (n % 100 === 99) await new Promise((resolve) => setTimeout(resolve, 5))
}
if (drip !== undefined) setInterval(() => sockets.forEach((socket) => void socket.write(drip)), 250)
for await (const _ of createInterface(process.stdin)) process.stdout.write(`${JSON.stringify(seen)}\n`)
process.exit()
