/**
 * Whether the walls of a sandbox stand, found out by running at them from inside.
 *
 * Does not own: the walls (`containerSpec.ts`, `seccomp/profile.json`).
 */
import { Effect, Schema } from "effect"
import type { SandboxHandle, SandboxLost } from "../../services/Sandbox.ts"
import program from "./probe.py?raw"

/** Outcomes are `ok`, the name of an errno, or of the signal that the attempt was killed with. */
export class ProbeReport extends Schema.Class<ProbeReport>("ProbeReport")({
  /** Release of the kernel that the sandbox sees. */
  kernel: Schema.String,
  /** 2 for a filter. */
  seccomp: Schema.Int,
  noNewPrivileges: Schema.Boolean,
  /** The bounding set, in hexadecimal digits. */
  capabilities: Schema.String,
  user: Schema.Int,
  /** Whether user 0 inside is another one outside. */
  mapped: Schema.Boolean,
  calls: Schema.Record({ key: Schema.String, value: Schema.String }),
  /** `family/type` of each socket that can be had, and `/protocol` of the ones of netlink. */
  sockets: Schema.Array(Schema.String),
  /** A socket that the rules do not allow, asked for by the system calls of 32-bit programs. */
  int80: Schema.String,
  x32: Schema.String,
  clockSynchronised: Schema.NullOr(Schema.Boolean),
  /** Size of the file system that the work tree is on. */
  treeBytes: Schema.Number
}) {
  /** What is open that should be closed, in words; none when all walls stand. */
  get openings(): ReadonlyArray<string> {
    return openings(this)
  }
}

/** The probe did not come to its end. */
export class ProbeFailed extends Schema.TaggedError<ProbeFailed>()("ProbeFailed", { detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}

const allowedSockets = /^(?:1\/\d|(?:2|10)\/[12]|16\/[23]\/0)$/

const decode = Schema.decodeUnknown(Schema.parseJson(ProbeReport))

export const runProbe = (handle: SandboxHandle): Effect.Effect<ProbeReport, ProbeFailed | SandboxLost> =>
  handle
    .run({ argv: ["python3", "-IS", "-c", program], timeoutMs: 20_000, outputLimit: 65_536 })
    .pipe(
      Effect.flatMap(({ output }) =>
        Effect.mapError(decode(output), () => new ProbeFailed({ detail: `the probe said: ${output.slice(0, 500)}` }))
      )
    )

const openings = (report: ProbeReport): ReadonlyArray<string> => [
  ...(report.seccomp === 2 ? [] : ["no seccomp filter"]),
  ...(report.noNewPrivileges ? [] : ["programs can gain rights"]),
  ...(/^0+$/.test(report.capabilities) ? [] : [`capabilities ${report.capabilities}`]),
  ...(report.user === 0 ? ["it runs as root"] : []),
  ...Object.entries(report.calls).flatMap(([name, result]) => (closed.test(result) ? [] : [`${name}: ${result}`])),
  ...report.sockets.filter((socket) => !allowedSockets.test(socket)).map((socket) => `sockets of ${socket}`),
  ...(report.int80 === "ok" ? ["32-bit system calls"] : []),
  ...(report.x32 === "ok" ? ["x32 system calls"] : [])
]

/** Of the filter, or of a kernel that has no such call. */
const closed = /^(?:EPERM|ENOSYS|SIGSYS)$/
