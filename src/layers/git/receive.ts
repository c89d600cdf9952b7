/**
 * Taking objects from a sandbox: git's own receiving end, which keeps them apart until each of them has passed its
 * checks. Only a commit that is whole gets a ref; what has none goes with the next packing.
 */
import { Effect, Stream } from "effect"
import { PackRefused } from "../../services/GitStore.ts"
import type { CommitId } from "../../services/Ids.ts"
import { StorageFull } from "../../services/Transaction.ts"
import { safe, settings } from "./environment.ts"
import { cleanLine, complaint, ranOutOfSpace } from "./failures.ts"
import type { Limits } from "./limits.ts"
import type { Git } from "./process.ts"
import { isKeepName, keepRef, type Repositories } from "./repositories.ts"

export interface Keep {
  readonly name: string
  readonly commit: CommitId
  readonly expected: CommitId | null
}

const MiB = 2 ** 20

/**
 * What a few objects inflate to is written out; more stay as the pack that they came in. So what a pack takes on disk is
 * bounded, also when its objects are differences that say much with few bytes.
 */
const looseObjects = 10
const looseBytes = 64 * MiB

const receiving = (limits: Limits, whole: boolean) => [
  ...safe,
  ...settings({
    "receive.unpackLimit": whole ? looseObjects : 1,
    "receive.autogc": false,
    "receive.fsckObjects": true,
    "receive.maxInputSize": limits.receiveBytes,
    "receive.denyDeletes": true
  }),
  "receive-pack",
  "--stateless-rpc"
]

const packetLine = (text: string) => `${(Buffer.byteLength(text) + 4).toString(16).padStart(4, "0")}${text}`

const command = (ref: string, { commit, expected }: Keep) => {
  const format = commit.length === 64 ? "sha256" : "sha1"
  const before = expected ?? "0".repeat(commit.length)
  return Buffer.from(`${packetLine(`${before} ${commit} ${ref}\0 report-status quiet object-format=${format}`)}0000`)
}

/** The part of a stream that fits; more than that is a failure. */
const bounded =
  (limit: number) =>
  <E>(pack: Stream.Stream<Uint8Array, E>): Stream.Stream<Uint8Array, E | PackRefused> =>
    Stream.mapAccumEffect(pack, 0, (before, chunk) => {
      const bytes = before + chunk.length
      return bytes > limit
        ? new PackRefused({ detail: `the pack is larger than ${Math.floor(limit / MiB)} MiB` })
        : Effect.succeed([bytes, chunk] as const)
    })

/** A pack in one piece is far below the limit. */
const requestFor = <E>(start: Buffer, pack: Uint8Array | Stream.Stream<Uint8Array, E>, limit: number) =>
  pack instanceof Uint8Array
    ? Buffer.concat([start, pack])
    : Stream.concat(Stream.succeed<Uint8Array>(start), bounded(limit)(pack))

/** What git's report says of our ref: nothing when it was taken, else why not. */
const objection = (report: string, ref: string): string | undefined => {
  if (report.includes(`ok ${ref}\n`)) return undefined
  const unpack = /unpack (?!ok\n)([^\n]*)/.exec(report)?.[1]
  return unpack ?? /ng \S+ ([^\n]*)/.exec(report)?.[1] ?? "git gave no report"
}

/** The first object that git's checks refuse, and what is wrong with it. */
const flawIn = (stderr: string) => {
  const { object, words } = /\bobject (?<object>[0-9a-f]{40,64}): \w+: (?<words>[^\n]*)/.exec(stderr)?.groups ?? {}
  return object === undefined || words === undefined
    ? undefined
    : { object, detail: `git's checks refuse ${cleanLine(words)}` }
}

export const makeReceive = Effect.fnUntraced(function* (git: Git, repositories: Repositories, limits: Limits) {
  const places = yield* Effect.makeSemaphore(limits.receivers)

  /** Whether an earlier attempt, whose answer was lost, has already put the ref where it should be. */
  const arrived = (path: string, ref: string, commit: CommitId) =>
    git
      .run({
        repository: path,
        args: ["rev-parse", "--verify", "--quiet", ref],
        timeout: limits.readTime,
        outputLimit: 1024
      })
      .pipe(
        Effect.map(({ stdout }) => stdout.toString("utf8").trim() === commit),
        Effect.orElseSucceed(() => false)
      )

  return Effect.fnUntraced(
    function* <E>(path: string, keep: Keep, pack: Uint8Array | Stream.Stream<Uint8Array, E>) {
      if (!isKeepName(keep.name)) return yield* Effect.dieMessage(`${keep.name} can't name what is kept`)
      const ref = keepRef(`${keep.name}/checkpoint`)
      const isWhole = pack instanceof Uint8Array
      const { exitCode, stderr, stdout } = yield* git
        .run({
          repository: path,
          args: [...receiving(limits, isWhole), path],
          input: requestFor(command(ref, keep), pack, limits.receiveBytes),
          timeout: limits.receiveTime,
          outputLimit: 65_536,
          saysLittle: true,
          rlimits: { memory: limits.receiveMemory, file: isWhole ? looseBytes : limits.receiveBytes }
        })
        .pipe(
          places.withPermits(1),
          Effect.catchTag("GitStopped", () => new PackRefused({ detail: "checking the pack took too long" })),
          Effect.onError(() => repositories.sweep(path))
        )
      const objected = objection(stdout.toString("utf8"), ref)
      if (objected === undefined) return
      if (yield* arrived(path, ref, keep.commit)) return
      yield* repositories.sweep(path)
      if (ranOutOfSpace(`${objected}\n${stderr}`)) return yield* new StorageFull()
      const flaw = flawIn(stderr)
      if (flaw !== undefined) return yield* new PackRefused(flaw)
      const words = complaint(stderr)
      const detail = words === "" ? cleanLine(objected) : `${cleanLine(objected)} (${words})`
      return yield* new PackRefused({ detail: exitCode > 128 ? `${detail}; git was stopped` : detail })
    },
    (effect, path) => repositories.exclusively(path, effect)
  )
})
