/** The operating system's refusals in the words of the sandbox. */
import { SandboxFileError } from "../services/Sandbox.ts"

type Refusal = readonly [SandboxFileError["reason"], detail: string]

const absent: Refusal = ["not_found", "no such file or directory"]
const underFile: Refusal = ["not_found", "a part of the path is not a directory"]
const full: Refusal = ["no_space", "no space left in the sandbox"]

const refusals: Readonly<Record<string, Refusal>> = {
  ENOENT: absent,
  ENOTDIR: underFile,
  EEXIST: underFile,
  EISDIR: ["not_a_file", "is a directory"],
  ENXIO: ["not_a_file", "not a regular file"],
  EACCES: ["denied", "permission denied"],
  EPERM: ["denied", "not permitted"],
  EROFS: ["denied", "is on a read-only file system"],
  ELOOP: ["denied", "too many symbolic links"],
  EFBIG: ["too_large", "too large"],
  ENOSPC: full,
  EDQUOT: full
}

/** `code` is the name of an errno, as ENOENT. */
export const fileError = (path: string, code: string): SandboxFileError => {
  const [reason, detail] = refusals[code] ?? (["other", `can't be read or written (${code})`] as const)
  return new SandboxFileError({ path, reason, detail })
}

/** Bytes that one call reads or writes at most. */
export const fileLimit = 8 * 2 ** 20

export const tooLarge = (path: string, bytes: number) =>
  new SandboxFileError({
    path,
    reason: "too_large",
    detail: `${bytes} bytes are more than the ${fileLimit} of one file`
  })
