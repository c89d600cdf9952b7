/**
 * Talking to a remote, and what it says about its refs.
 */
import { Effect } from "effect"
import type { RemoteFailed } from "../../services/GitStore.ts"
import { remoteFailed, remoteStopped } from "./failures.ts"
import type { Git, GitCall, GitResult } from "./process.ts"
import type { Remote } from "./remote.ts"

export interface RemoteCall extends Omit<GitCall, "secret" | "outputLimit"> {
  /** What follows the remote's address. */
  readonly operands: ReadonlyArray<string>
}

const outputLimit = 1_000_000

/** Runs a command on a remote; any exit code is a result, and output beyond a megabyte is left out. */
export const tryAtRemote = (git: Git, remote: Remote, call: RemoteCall): Effect.Effect<GitResult, RemoteFailed> => {
  const { operands, ...rest } = call
  const { env, host, secret, url } = remote
  return git
    .run({
      ...rest,
      env: { ...env, ...call.env },
      ...(secret === undefined ? {} : { secret }),
      args: [...remote.args, ...call.args, "--end-of-options", url, ...operands],
      outputLimit,
      atLimit: "cut"
    })
    .pipe(Effect.mapError((stopped) => remoteStopped(host, stopped)))
}

/** For what writes no file but its own output: the limit on files stops a remote that says too much. */
export const saysLittle = { saysLittle: true, rlimits: { file: 2 * outputLimit } } as const

/** As `tryAtRemote`, and whatever fails is the remote's failure. */
export const atRemote = (git: Git, remote: Remote, call: RemoteCall): Effect.Effect<GitResult, RemoteFailed> =>
  Effect.filterOrFail(
    tryAtRemote(git, remote, call),
    ({ cut, exitCode }) => cut || exitCode === 0,
    (result) => remoteFailed(remote.host, result)
  )

export interface Refs {
  /** Object ids by full names of refs. */
  readonly ids: ReadonlyMap<string, string>
  /** The ref that HEAD names, when it names one that exists. */
  readonly head: string | undefined
}

/** The refs of a remote whose full names are among `names`; all of them when there are none. */
export const askForRefs = (
  git: Git,
  remote: Remote,
  names: ReadonlyArray<string>,
  timeout: GitCall["timeout"]
): Effect.Effect<Refs, RemoteFailed> =>
  Effect.map(
    atRemote(git, remote, {
      args: ["ls-remote", "--symref", "--quiet"],
      operands: names,
      timeout,
      ...saysLittle
    }),
    ({ stdout }) => {
      const ids = new Map<string, string>()
      let head: string | undefined
      for (const line of stdout.toString("utf8").split("\n")) {
        const [value = "", name = ""] = line.split("\t")
        // A pattern matches the end of a name, so that other refs come with it.
        if (names.length > 0 && !names.includes(name)) continue
        if (value.startsWith("ref: ")) head = name === "HEAD" ? value.slice("ref: ".length) : head
        else if (name !== "") ids.set(name, value)
      }
      return { ids, head }
    }
  )
