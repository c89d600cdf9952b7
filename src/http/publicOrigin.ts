/** How clients reach this server, without a slash at the end: by the setting, or else as this request did. */
import { HttpServerRequest } from "@effect/platform"
import { Effect, Option } from "effect"
import { AppConfig } from "../services/AppConfig.ts"

export const makePublicOrigin = Effect.map(AppConfig, ({ publicUrl }) =>
  Effect.map(HttpServerRequest.HttpServerRequest, ({ headers }) =>
    Option.getOrElse(publicUrl, () => `http://${headers["host"] ?? "localhost"}`)
  )
)
