/**
 * Loop devices before copies of an image, each held by a process until somebody has mounted it.
 *
 * A small shell starts these processes: for the server to start one itself is to stop for 8 ms (0.04 ms for each MB of its
 * memory, measured).
 */
import { Deferred, Effect, FiberId, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { DiskImageFailed, searchPath } from "./diskImages.ts"

const longestWait = "10 seconds"
const complaintChars = 1_000

/**
 * Told a number, says `holder 7 is 4711`, its process, and `holder 7 holds /dev/loop3` or, after the complaints of what
 * failed, `holder 7 failed`. Meanwhile the image loses its name, and the device is told to clear itself: from then on the
 * kernel clears up with the last user, whoever is killed.
 *
 * Holders end with the server: nothing is ever written to descriptor 3.
 */
const program = `
template=$1
directory=$2
while read -r number; do
  jobs >/dev/null
  (
    exec 2>&1
    trap 'echo "holder $number failed"' EXIT
    set -e
    image=$directory/$number.ext4
    cp --sparse=always -- "$template" "$image"
    device=$(losetup --find --show -- "$image")
    exec 4<"$device"
    losetup --detach "$device"
    rm -- "$image"
    trap - EXIT
    echo "holder $number holds $device"
    read -r rest <&3 || true
  ) </dev/null &
  echo "holder $number is $!"
done
`

/** Not at the start of its line when another holder has just half said its complaint. */
const news = /holder (\d+) (is|holds|failed) ?(.*)$/

const kill = (pid: number) => {
  try {
    process.kill(pid)
  } catch {
    // It ended by itself.
  }
}

interface Holder {
  readonly device: Deferred.Deferred<string, DiskImageFailed>
  pid: number | undefined
  /** Not killed before: what it has begun it brings to its end first. */
  isHolding: boolean
  isReleased: boolean
}

/** One shell, from its start to its end. Its holders outlive it, if not this process. */
class Shell {
  readonly #child: ChildProcess
  readonly #holders = new Map<number, Holder>()
  #complaint = ""
  gone = false

  constructor(template: string, directory: string) {
    this.#child = spawn("/bin/sh", ["-c", program, "sh", template, directory], {
      env: { PATH: searchPath },
      // A key that stops the server in its terminal is not for holders: it stops in order.
      detached: true,
      stdio: ["pipe", "pipe", "ignore", "pipe"]
    })
    this.#child.once("error", ({ message }) => this.#lose(message))
    // Its holders have its output open: the end of the shell itself counts.
    this.#child.once("exit", () => this.#lose("the shell that attaches loop devices has ended"))
    // There are no streams when this process has no file left to open.
    if (!this.#child.stdin || !this.#child.stdout) return
    for (const stream of this.#child.stdio) stream?.on("error", () => {})
    createInterface(this.#child.stdout).on("line", (line) => this.#hear(line))
  }

  /** What comes of it; the number is for `release`. */
  hold(number: number): Holder["device"] {
    const device = Deferred.unsafeMake<string, DiskImageFailed>(FiberId.none)
    this.#holders.set(number, { device, pid: undefined, isHolding: false, isReleased: false })
    this.#child.stdin?.write(`${number}\n`)
    return device
  }

  release(number: number): void {
    const holder = this.#holders.get(number)
    if (holder === undefined) return
    holder.isReleased = true
    this.#endIfReleased(number, holder)
  }

  /** Ends the shell and, when they hold, its holders. */
  close(): void {
    if (!this.#child.stdin) return
    this.#child.stdin.end()
    this.#child.stdio[3]?.destroy()
  }

  #hear(line: string): void {
    const [, word, verb, value = ""] = news.exec(line) ?? []
    if (word === undefined) {
      this.#complaint = `${this.#complaint}${line}\n`.slice(-complaintChars)
      return
    }
    const number = Number(word)
    const holder = this.#holders.get(number)
    if (holder === undefined) return
    if (verb === "failed") {
      this.#holders.delete(number)
      Deferred.unsafeDone(holder.device, new DiskImageFailed({ detail: this.#complaint.trim() }))
      return
    }
    if (verb === "is") holder.pid = Number(value)
    else {
      holder.isHolding = true
      Deferred.unsafeDone(holder.device, Effect.succeed(value))
    }
    this.#endIfReleased(number, holder)
  }

  #endIfReleased(number: number, { isHolding, isReleased, pid }: Holder): void {
    if (!isHolding || !isReleased || pid === undefined) return
    this.#holders.delete(number)
    kill(pid)
  }

  /** Holders that have begun may still be heard of. */
  #lose(detail: string): void {
    this.gone = true
    for (const { device } of this.#holders.values()) Deferred.unsafeDone(device, new DiskImageFailed({ detail }))
  }
}

/** The path of a block device with a copy of the template. Whoever has it mounted before the scope closes keeps it. */
export type AttachCopy = Effect.Effect<string, DiskImageFailed, Scope.Scope>

/** Copies are made in this directory. The shell starts with the first, and another should it ever end. */
export const makeAttachCopy = (template: string, directory: string): Effect.Effect<AttachCopy, never, Scope.Scope> =>
  Effect.gen(function* () {
    const shells: Array<Shell> = []
    let count = 0
    yield* Effect.addFinalizer(() => Effect.sync(() => shells.forEach((shell) => shell.close())))
    const running = () => {
      const last = shells.at(-1)
      if (last !== undefined && !last.gone) return last
      const next = new Shell(template, directory)
      shells.push(next)
      return next
    }
    const hold = Effect.sync(() => {
      const shell = running()
      const number = ++count
      return { device: shell.hold(number), release: () => shell.release(number) }
    })
    return Effect.acquireRelease(hold, ({ release }) => Effect.sync(release)).pipe(
      // Also for a caller that can't be interrupted, or the bound below would not hold for it.
      Effect.flatMap(({ device }) => Effect.interruptible(Deferred.await(device))),
      Effect.timeoutFail({
        duration: longestWait,
        onTimeout: () => new DiskImageFailed({ detail: "no loop device could be had in time" })
      }),
      // Once more with another shell, should this one just have ended.
      Effect.retry({ times: 1, while: () => shells.at(-1)?.gone === true })
    )
  })
