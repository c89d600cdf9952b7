/**
 * Sending one commit to one branch of a remote, and to nothing that somebody else has changed.
 */
import { Effect, Schema } from "effect"
import { BranchMoved, type RemoteFailed } from "../../services/GitStore.ts"
import { CommitId } from "../../services/Ids.ts"
import { cleanLine, complaint, refused, remoteFailed, serverName } from "./failures.ts"
import type { Limits } from "./limits.ts"
import type { Git } from "./process.ts"
import { isRefName } from "./refNames.ts"
import { askForRefs, saysLittle, tryAtRemote } from "./refs.ts"
import type { Remote } from "./remote.ts"

export interface Target {
  readonly branch: string
  readonly commit: CommitId
  readonly expected: CommitId | null
}

const isCommitId = Schema.is(CommitId)

/** The line of a porcelain push about our ref: `!`, the refs, and the remote's reason. */
const rejection = (stdout: string) => /^!\t[^\t]*\t\[(?<kind>[^\]]*)\](?: \((?<reason>.*)\))?$/m.exec(stdout)?.groups

/** What the remote's own hooks and rules said, without git's wrapping. */
const remoteWords = (stderr: string, reason: string) => {
  const said = stderr
    .split(/[\r\n]+/)
    .filter((line) => line.startsWith("remote: "))
    .map((line) => line.slice("remote: ".length).trim())
  const line = said.find((text) => /^(?:error|fatal):/i.test(text)) ?? said.find((text) => text !== "")
  return cleanLine(line === undefined ? reason : `${line.replace(/^(?:error|fatal): /i, "")} (${reason})`)
}

export const makePush = (git: Git, limits: Limits) =>
  Effect.fnUntraced(function* (
    remote: Remote,
    path: string,
    { branch, commit, expected }: Target
  ): Effect.fn.Return<void, RemoteFailed | BranchMoved> {
    if (!isRefName(branch)) return yield* refused(`${branch} is no valid name of a branch.`)
    const ref = `refs/heads/${branch}`
    const result = yield* tryAtRemote(git, remote, {
      repository: path,
      args: [
        "push",
        "--porcelain",
        "--quiet",
        "--no-verify",
        "--no-signed",
        `--force-with-lease=${ref}:${expected ?? ""}`
      ],
      operands: [`${commit}:${ref}`],
      timeout: limits.transferTime,
      ...saysLittle
    })
    if (result.exitCode === 0) return
    const rejected = rejection(result.stdout.toString("utf8"))
    const failure = remoteFailed(remote.host, result)
    // Without an answer about the ref nobody knows whether the push arrived.
    if (rejected === undefined && !failure.retryable) return yield* failure
    const { ids } = yield* Effect.mapError(askForRefs(git, remote, [ref], limits.contactTime), (unknown) =>
      rejected === undefined ? failure : unknown
    )
    const actual = ids.get(ref) ?? null
    if (actual === commit) return
    if (actual !== expected) {
      return yield* new BranchMoved({ branch, actual: isCommitId(actual) ? actual : null })
    }
    if (rejected === undefined) return yield* failure
    const { kind = "rejected", reason = complaint(result.stderr) } = rejected
    return yield* refused(
      `${serverName(remote.host)} refused the push: ${remoteWords(result.stderr, reason === "" ? kind : reason)}`
    )
  })
