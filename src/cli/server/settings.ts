/**
 * The settings of a server on this machine: environment variables, and below them a file `.env` in the working
 * directory. Commands that are only clients read no such file: it may be one of a repository that nobody has read.
 */
import { PlatformConfigProvider } from "@effect/platform"
import { Layer } from "effect"
import * as AppConfigEnv from "../../layers/AppConfigEnv.ts"

export const layer = Layer.provide(AppConfigEnv.layer, PlatformConfigProvider.layerDotEnvAdd(".env"))
