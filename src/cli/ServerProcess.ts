/**
 * A whole server in this process.
 *
 * Owns: the seam between commands and the server: they know its address, not what it is made of.
 * Does not own: the application (`layers/AppLayer.ts`), its door (`http/Server.ts`); `main.ts` puts them together.
 */
import { Context, type Effect, type Layer, Schema, type Scope } from "effect"
import type { SettingsInvalid } from "../layers/AppConfigEnv.ts"
import type { AppConfig } from "../services/AppConfig.ts"

/** What is wrong and what to do, for people. */
export class ServerNotStarted extends Schema.TaggedError<ServerNotStarted>()("ServerNotStarted", {
  problem: Schema.String
}) {
  override get message() {
    return this.problem
  }
}

export class ServerProcess extends Context.Tag("errand/cli/ServerProcess")<
  ServerProcess,
  {
    /** Succeeds when the server answers at `url`; it is stopped in good order when the scope closes. */
    readonly start: (
      settings: Layer.Layer<AppConfig, SettingsInvalid>
    ) => Effect.Effect<{ readonly url: string }, ServerNotStarted, Scope.Scope>
  }
>() {}
