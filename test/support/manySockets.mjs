/**
 * Many connections to one port, from a process of their own:
 * `node manySockets.mjs '{ "port": 8080, "count": 1000, "words": "GET …", "drip": "x", "isAnsweredAtOnce": false }'`.
 *
 * Each says `words`, then `drip` four times a second, and never hangs up, also after the server did. Prints a line
 * of JSON whenever it is asked by a line: how many were opened, answered (with which status), and ended by the server.
 */
import { connect } from "node:net"
import { createInterface } from "node:readline"

const { port, count, words, drip, isAnsweredAtOnce = false } = JSON.parse(process.argv[2])
const seen = { opened: 0, ended: 0, statuses: {} }
const sockets = []
let answered = 0

const open = () => {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true })
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
    answered++
    const status = chunk.toString("latin1").slice(9, 12)
    seen.statuses[status] = (seen.statuses[status] ?? 0) + 1
  })
  socket.on("end", end).on("close", end)
  socket.on("error", () => undefined)
}

/** At most twice as many wait: a connection that the system has no room for in the server's queue is lost for half a minute. */
const batch = 50
let started = 0
while (started < count) {
  if (!isAnsweredAtOnce || started - answered <= batch) {
    const last = Math.min(count, started + batch)
    for (; started < last; started++) open()
  }
  await new Promise((resolve) => setTimeout(resolve, 5))
}
if (drip !== undefined) setInterval(() => sockets.forEach((socket) => void socket.write(drip)), 250)
for await (const _ of createInterface(process.stdin)) process.stdout.write(`${JSON.stringify(seen)}\n`)
process.exit()
