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
 * Told `hold 7`, says `7 holds /dev/loop3` or, after the complaints of what failed, `7 failed`. Meanwhile the image loses
 * its name, and the device is told to clear itself: from then on the kernel clears up with the last user, whoever is
 * killed. Holders end at `release 7`, and with the server: nothing is ever written to descriptor 3.
 */
const program = `
template=$1
directory=$2
attach() {
  image=$directory/$1.ext4
  cp --sparse=always -- "$template" "$image"
  device=$(losetup --find --show -- "$image")
  exec 4<"$device"
  losetup --detach "$device"
  rm -- "$image"
}
while read -r verb number; do
  jobs >/dev/null
  if [ "$verb" = release ]; then
    eval "kill \\$holder$number; unset holder$number"
    continue
  fi
  (
    exec </dev/null 2>&1
    trap 'echo "$number failed"' EXIT
    set -e
    attach "$number"
    trap - EXIT
    echo "$number holds $device"
    read -r rest <&3 || true
  ) &
  eval "holder$number=$!"
done
`

interface Holder {
  readonly device: Deferred.Deferred<string, DiskImageFailed>
  isHolding: boolean
  /** Not killed before it holds: what it has begun it brings to its end first. */
  isReleased: boolean
}

/** One shell, from its start to its end. Its holders outlive it, if not this process. */
class Shell {
  readonly #child: ChildProcess
  /** Its end is the end of the holders. */
  readonly #lifeline: { destroy: () => void } | null | undefined
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
    this.#lifeline = this.#child.stdio[3]
    for (const stream of this.#child.stdio) stream?.on("error", () => {})
    createInterface(this.#child.stdout).on("line", (line) => this.#hear(line))
  }

  /** What comes of it; the number is for `release`. */
  hold(number: number): Holder["device"] {
    const device = Deferred.unsafeMake<string, DiskImageFailed>(FiberId.none)
    this.#holders.set(number, { device, isHolding: false, isReleased: false })
    this.#tell("hold", number)
    return device
  }

  release(number: number): void {
    const holder = this.#holders.get(number)
    if (holder === undefined) return
    holder.isReleased = true
    if (!holder.isHolding) return
    this.#holders.delete(number)
    this.#tell("release", number)
    if (this.gone && this.#holders.size === 0) this.close()
  }

  close(): void {
    this.#child.stdin?.end()
    this.#lifeline?.destroy()
  }

  #tell(verb: "hold" | "release", number: number) {
    this.#child.stdin?.write(`${verb} ${number}\n`)
  }

  #hear(line: string): void {
    const [, word, news, device] = /^(\d+) (holds|failed) ?(.*)$/.exec(line) ?? []
    const number = Number(word)
    const holder = this.#holders.get(number)
    if (holder === undefined || device === undefined) {
      this.#complaint = `${this.#complaint}${line}\n`.slice(-complaintChars)
      return
    }
    if (news === "failed") return this.#fail(number, holder, this.#complaint.trim())
    holder.isHolding = true
    Deferred.unsafeDone(holder.device, Effect.succeed(device))
    if (holder.isReleased) this.release(number)
  }

  #fail(number: number, { device }: Holder, detail: string): void {
    this.#holders.delete(number)
    Deferred.unsafeDone(device, new DiskImageFailed({ detail }))
  }

  #lose(detail: string): void {
    this.gone = true
    for (const [number, holder] of this.#holders) if (!holder.isHolding) this.#fail(number, holder, detail)
  }
}

/** The path of a block device with a copy of the template. Whoever has it mounted before the scope closes keeps it. */
export type AttachCopy = Effect.Effect<string, DiskImageFailed, Scope.Scope>

/** Copies are made in this directory. The shell starts with the first, and another should it ever end. */
export const makeAttachCopy = (template: string, directory: string): Effect.Effect<AttachCopy, never, Scope.Scope> =>
  Effect.gen(function* () {
    let shell: Shell | undefined
    let count = 0
    yield* Effect.addFinalizer(() => Effect.sync(() => shell?.close()))
    const hold = Effect.sync(() => {
      const used = shell === undefined || shell.gone ? new Shell(template, directory) : shell
      shell = used
      const number = ++count
      return { device: used.hold(number), release: () => used.release(number) }
    })
    return Effect.acquireRelease(hold, ({ release }) => Effect.sync(release)).pipe(
      Effect.flatMap(({ device }) => Deferred.await(device)),
      Effect.timeoutFail({
        duration: longestWait,
        onTimeout: () => new DiskImageFailed({ detail: "no loop device could be had in time" })
      })
    )
  })
