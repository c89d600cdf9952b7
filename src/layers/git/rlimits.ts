/** Limits that the kernel enforces on a program and on every child of it, as a shell sets them. */

export interface Rlimits {
  /** Bytes of address space; none when absent. */
  readonly memory?: number
  /** Bytes of each file that is written; none when absent. */
  readonly file?: number
}

const inBlocks = (size: number, bytes = Number.POSITIVE_INFINITY) =>
  Number.isFinite(bytes) ? String(Math.ceil(bytes / size)) : "unlimited"

/**
 * Those that a system can't set are left out: they are a second line behind time and bytes. No dump of its memory is left
 * of a program that breaks down: it may hold a credential.
 */
export const ulimits = ({ file, memory }: Rlimits): string =>
  `{ ulimit -c 0; ulimit -v ${inBlocks(1024, memory)}; ulimit -f ${inBlocks(512, file)}; } 2>/dev/null`
