/** How much time, space and output git on the host may take. Times are of one command, sizes are bytes. */
import { totalmem } from "node:os"
import type { Duration } from "effect"

export interface Limits {
  /** Asking a remote for its refs. */
  readonly contactTime: Duration.DurationInput
  /** A whole fetch or push. */
  readonly transferTime: Duration.DurationInput
  /** The largest pack that is taken from a remote. */
  readonly fetchBytes: number
  /** Memory of each process that checks such a pack. */
  readonly fetchMemory: number
  /** The largest pack that is taken from a sandbox. */
  readonly receiveBytes: number
  readonly receiveTime: Duration.DurationInput
  /** Memory of each process that checks such a pack; files beyond `bigFile` pass through without being held. */
  readonly receiveMemory: number
  /** Packs from sandboxes that are checked at the same moment. */
  readonly receivers: number
  /** Small questions to the store. */
  readonly readTime: Duration.DurationInput
  readonly diffTime: Duration.DurationInput
  /** Each wait for the next bytes of a patch. */
  readonly streamTime: Duration.DurationInput
  /** About so many loose objects make a repository worth packing. */
  readonly looseObjects: number
  readonly diffFiles: number
  /** What git may print for a list of files; it is read, and not kept beyond `diffFiles`. */
  readonly diffBytes: number
  /** Lines of one file's hunks. */
  readonly hunkLines: number
  readonly hunkBytes: number
  readonly patchBytes: number
}

const MiB = 2 ** 20

const machine = totalmem()

/** A quarter of the machine's memory for all of them together, or what one needs at least. */
const receiveMemory = Math.max(512 * MiB, Math.min(1024 * MiB, Math.floor(machine / 4)))

export const defaultLimits: Limits = {
  contactTime: "1 minute",
  transferTime: "15 minutes",
  fetchBytes: 8192 * MiB,
  fetchMemory: Math.max(1024 * MiB, Math.floor((machine * 3) / 4)),
  receiveBytes: 512 * MiB,
  receiveTime: "1 minute",
  receiveMemory,
  receivers: Math.max(1, Math.min(4, Math.floor(machine / 4 / receiveMemory))),
  readTime: "10 seconds",
  diffTime: "10 seconds",
  streamTime: "30 seconds",
  looseObjects: 2000,
  diffFiles: 3000,
  diffBytes: 256 * MiB,
  hunkLines: 5000,
  hunkBytes: 2_000_000,
  patchBytes: 50_000_000
}
