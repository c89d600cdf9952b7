/**
 * Looks through the command lines and environments of all processes of this machine, over and over, for texts that may be
 * in none of them. A process of its own, so that what it watches for is in no other's memory on its account.
 *
 * Standard input: one line of JSON, `{ texts: { name: text }, except: [pid] }`; its end ends the watch. Standard output:
 * one line of JSON, `{ rounds, programs, hits }`.
 */
import { readdirSync, readFileSync } from "node:fs"
import { setImmediate as turn } from "node:timers/promises"

const read = (path) => {
  try {
    return readFileSync(path, "latin1")
  } catch {
    // It has ended, or is the kernel's own.
    return ""
  }
}

const watch = { over: false }
let input = ""
let ask = () => {}
const asked = new Promise((resolve) => (ask = resolve))

process.stdin.on("data", (chunk) => {
  input += chunk
  if (input.includes("\n")) ask()
})
process.stdin.on("end", () => (watch.over = true))

await asked
const { texts, except } = JSON.parse(input.split("\n")[0])
const isExcepted = new Set([process.pid, ...except].map(String))
// A process that has only just been forked is a copy of its parent until it becomes another program.
const ownWords = new Set(except.map((pid) => read(`/proc/${pid}/cmdline`)))
const programs = new Set()
const hits = new Set()
let rounds = 0
process.stdout.write("watching\n")
while (!watch.over) {
  for (const pid of readdirSync("/proc")) {
    if (!/^\d+$/.test(pid) || isExcepted.has(pid)) continue
    const words = read(`/proc/${pid}/cmdline`)
    if (ownWords.has(words)) continue
    const program = words.split("\0")[0]?.split("/").at(-1) ?? ""
    if (program !== "") programs.add(program)
    for (const [place, content] of [
      ["command line", words],
      ["environment", read(`/proc/${pid}/environ`)]
    ]) {
      for (const [name, text] of Object.entries(texts)) {
        if (!content.includes(text)) continue
        // In the moment in which it becomes another program, a process shows parts of both: what stays counts.
        const again = read(`/proc/${pid}/${place === "environment" ? "environ" : "cmdline"}`)
        if (again === "" || again.includes(text)) hits.add(`${name} in the ${place} of ${program}`)
      }
    }
  }
  rounds++
  await turn()
}
process.stdout.write(`${JSON.stringify({ rounds, programs: [...programs], hits: [...hits] })}\n`)
