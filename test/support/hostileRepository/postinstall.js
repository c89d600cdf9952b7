// What a package would run when it is installed.
const net = require("node:net")
const fs = require("node:fs")

const say = (...words) => process.stdout.write(`${words.join(" ")}\n`)

for (const file of ["/proc/1/environ", "/proc/self/environ", "/proc/1/cmdline"]) {
  try {
    say(file, fs.readFileSync(file, "utf8"))
  } catch (error) {
    say("refused", file, error.code)
  }
}
const open = []
const knock = (port) =>
  new Promise((done) => {
    const socket = net.connect(port, "127.0.0.1", () => (open.push(port), socket.destroy(), done()))
    socket.on("error", done)
  })
const scan = async () => {
  for (let port = 1; port < 65536; port += 500) {
    await Promise.all(Array.from({ length: Math.min(500, 65536 - port) }, (_, n) => knock(port + n)))
  }
  say("open ports", JSON.stringify(open))
}
scan()
