/** The real GitStore on a temporary data directory. */
import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { Effect, Layer, Option, Redacted } from "effect"
import * as DataDirLock from "../../src/layers/DataDirLock.ts"
import * as ForgeTokensMemory from "../../src/layers/ForgeTokensMemory.ts"
import * as GitStoreBare from "../../src/layers/GitStoreBare.ts"
import { AppConfig } from "../../src/services/AppConfig.ts"
import type { ForgeTokens } from "../../src/services/ForgeTokens.ts"
import { type CredentialKind, GitCredentials } from "../../src/services/GitCredentials.ts"
import { UserId } from "../../src/services/Ids.ts"
import { settings } from "./settings.ts"

export const owner = UserId.make("user_01ARZ3NDEKTSV4RRFFQ69G5FAV")

export interface GitStoreOptions extends GitStoreBare.Options {
  readonly trustedHosts?: ReadonlyArray<string>
  readonly allowLocal?: boolean
  /** A directory that is kept; a temporary one by default. */
  readonly dataDir?: string
  /** Sign-ins at forges; none by default. */
  readonly tokens?: Layer.Layer<ForgeTokens>
  /** Credentials of `owner`, by host. */
  readonly credentials?: Readonly<Record<string, { readonly kind: CredentialKind; readonly value: string }>>
}

/** A temporary data directory, gone with the layer. */
export const dataDirLayer = Layer.scoped(
  DataDirLock.DataDir,
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    return { path: yield* Effect.orDie(files.makeTempDirectoryScoped({ prefix: "errand data " })), serverId: "test" }
  })
)

export const gitStoreLayer = ({
  allowLocal = false,
  credentials = {},
  dataDir,
  tokens = ForgeTokensMemory.layer,
  trustedHosts = [],
  ...options
}: GitStoreOptions) =>
  GitStoreBare.layerWith(options).pipe(
    Layer.provide(
      Layer.mock(GitCredentials, {
        find: (user, host) => {
          const found = user === owner ? credentials[host] : undefined
          return Effect.succeed(
            Option.map(Option.fromNullable(found), ({ kind, value }) => ({ kind, value: Redacted.make(value) }))
          )
        }
      })
    ),
    Layer.provide(tokens),
    Layer.provide(
      Layer.succeed(AppConfig, { ...settings, trustedGitHosts: trustedHosts, allowLocalRepositories: allowLocal })
    ),
    Layer.provideMerge(
      dataDir === undefined ? dataDirLayer : Layer.succeed(DataDirLock.DataDir, { path: dataDir, serverId: "test" })
    ),
    Layer.provideMerge(NodeContext.layer)
  )
