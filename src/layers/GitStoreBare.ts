/**
 * GitStore on bare repositories in the data directory, with the git of this machine.
 */
import type { FileSystem } from "@effect/platform"
import { Effect, Layer, Option, Schema } from "effect"
import { join } from "node:path"
import { AppConfig } from "../services/AppConfig.ts"
import type { ForgeTokens } from "../services/ForgeTokens.ts"
import type { GitCredentials } from "../services/GitCredentials.ts"
import { GitStore, RemoteFailed, type StartPoint, type StoreKey } from "../services/GitStore.ts"
import { DataDir } from "./DataDirLock.ts"
import { makeAccess } from "./forge/access.ts"
import { makeChangedPaths } from "./git/changedPaths.ts"
import { makeAsk } from "./git/answerers.ts"
import { makeCheckpoint } from "./git/checkpoints.ts"
import { makeDifferences } from "./git/differences.ts"
import { environment } from "./git/environment.ts"
import { makeFetch } from "./git/fetch.ts"
import { makeForkingShell } from "./git/forkingShell.ts"
import { defaultLimits, type Limits } from "./git/limits.ts"
import { makeObjects } from "./git/objects.ts"
import { isTooOld, oldestGit } from "./git/oldestGit.ts"
import { type Git, makeGit } from "./git/process.ts"
import { unlessKnown } from "./git/knownProgram.ts"
import { makePush } from "./git/push.ts"
import { makeReceive } from "./git/receive.ts"
import { makeConnect, type Remote, type Resolve, resolveBySystem } from "./git/remote.ts"
import { makeRepositories } from "./git/repositories.ts"
import { makeTogether } from "./git/together.ts"

/** There is no git, or one that can't be told which address to connect to. */
export class GitMissing extends Schema.TaggedError<GitMissing>()("GitMissing", { found: Schema.String }) {
  override get message() {
    return `Errand needs git ${oldestGit} or newer on its PATH; ${this.found}.`
  }
}

const checkVersion = Effect.fnUntraced(function* (git: Git) {
  const { stdout } = yield* git
    .run({ args: ["--version"], timeout: "10 seconds", outputLimit: 1024, saysLittle: true })
    .pipe(
      Effect.catchAllDefect(() => new GitMissing({ found: "none could be started" })),
      Effect.catchTag("GitStopped", () => new GitMissing({ found: "it did not answer" }))
    )
  const text = stdout.toString("utf8").trim()
  if (isTooOld(text)) return yield* new GitMissing({ found: text === "" ? "none could be started" : `found ${text}` })
})

const isRemoteFailed = Schema.is(RemoteFailed)

const isRefusedSignIn =
  ({ signInRefused }: Remote) =>
  (error: unknown): boolean =>
    signInRefused !== undefined && isRemoteFailed(error) && error.reason === "auth"

export interface Options extends Partial<Limits> {
  /** How names of hosts become addresses; the system's resolver by default. */
  readonly resolve?: Resolve
}

const make = Effect.fnUntraced(function* ({ resolve = resolveBySystem, ...own }: Options) {
  const config = yield* AppConfig
  const { path: dataDir } = yield* DataDir
  const limits = { ...defaultLimits, ...own }
  const clean = yield* Effect.orDie(environment)
  const git = makeGit(clean, yield* makeForkingShell(clean, join(dataDir, "git-calls")))
  yield* unlessKnown(join(dataDir, "git-checked"), clean["PATH"] ?? "", checkVersion(git))
  const repositories = yield* makeRepositories(git, join(dataDir, "repositories"), limits)
  const connect = makeConnect({
    policy: { trustedHosts: config.trustedGitHosts, allowLocal: config.allowLocalRepositories },
    access: yield* makeAccess,
    resolve,
    knownHosts: join(dataDir, "known_hosts")
  })
  const fetchRef = yield* makeFetch(git, repositories, limits)
  const fetchTogether = yield* makeTogether<StartPoint, RemoteFailed>()
  const pushCommit = makePush(git, limits)
  const take = yield* makeReceive(git, repositories, limits)
  const changedPaths = makeChangedPaths(git, limits)
  const differences = yield* makeDifferences(git, limits)
  const ask = yield* makeAsk(git, limits.readTime)
  const objects = yield* makeObjects(git, ask, limits)
  const makeOne = makeCheckpoint(ask, repositories)
  const at = (key: StoreKey) => repositories.pathOf(key)

  /** A sign-in that the host refuses is renewed, and tried once more. */
  const atRemote = <A, E>(key: StoreKey, use: (remote: Remote) => Effect.Effect<A, E>) =>
    Effect.flatMap(connect(key), (remote) =>
      use(remote).pipe(
        Effect.catchIf(isRefusedSignIn(remote), () =>
          Effect.zipRight(remote.signInRefused ?? Effect.void, Effect.flatMap(connect(key), use))
        )
      )
    )

  return GitStore.of({
    fetch: Effect.fn("GitStore.fetch")(function* (key, ref) {
      const fetching = atRemote(key, (remote) => fetchRef(remote, at(key), ref)).pipe(
        Effect.zipLeft(repositories.tidy(at(key)))
      )
      // @effect-diagnostics-next-line preferSchemaOverJson:off -- a key that nobody reads
      return yield* fetchTogether(JSON.stringify([key.owner, key.url, Option.getOrNull(ref)]), fetching)
    }),
    push: Effect.fn("GitStore.push")((key, target) => atRemote(key, (remote) => pushCommit(remote, at(key), target))),
    receive: (key, keep, pack) => take(at(key), keep, pack).pipe(Effect.withSpan("GitStore.receive")),
    checkpoint: (key, spec) => makeOne(at(key), spec).pipe(Effect.withSpan("GitStore.checkpoint")),
    forget: Effect.fn("GitStore.forget")(function* (key, name) {
      if (!(yield* repositories.exists(at(key)))) return
      yield* repositories.exclusively(at(key), objects.forget(at(key), name))
      yield* repositories.tidy(at(key))
    }),
    commit: Effect.fn("GitStore.commit")((key, spec) =>
      repositories.exclusively(at(key), objects.commit(at(key), spec))
    ),
    hasMade: Effect.fn("GitStore.hasMade")((key, made) => objects.hasMade(at(key), made)),
    hasCommit: Effect.fn("GitStore.hasCommit")((key, commit) => objects.hasCommit(at(key), commit)),
    sameTree: Effect.fn("GitStore.sameTree")((key, a, b) => objects.sameTree(at(key), a, b)),
    readFile: Effect.fn("GitStore.readFile")((key, commit, path, limit) =>
      objects.readFile(at(key), commit, path, limit)
    ),
    pack: (key, want, have) => objects.pack(at(key), want, have),
    changedPaths: Effect.fn("GitStore.changedPaths")((key, from, to, patterns) =>
      changedPaths(at(key), from, to, patterns)
    ),
    diff: Effect.fn("GitStore.diff")((key, base, head) => differences.diff(at(key), base, head)),
    fileDiff: Effect.fn("GitStore.fileDiff")((key, base, head, id) => differences.fileDiff(at(key), base, head, id)),
    patch: (key, base, head) => differences.patch(at(key), base, head)
  })
})

/** With other limits, or another resolver, than a server has. */
export const layerWith = (
  options: Options
): Layer.Layer<GitStore, GitMissing, AppConfig | DataDir | FileSystem.FileSystem | ForgeTokens | GitCredentials> =>
  Layer.scoped(GitStore, make(options))

export const layer = layerWith({})
