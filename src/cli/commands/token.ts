/** `errand token`: access tokens, made and revoked on the machine of the server. */
import { Command, Options } from "@effect/cli"
import { TokenScope } from "../../services/Accounts.ts"
import { lazily } from "../lazily.ts"
import { argument, json } from "../options.ts"

export const create = Command.make("create", {
  login: Options.text("login").pipe(
    Options.withDescription("Whose token it is (required); a new login becomes a user")
  ),
  name: Options.text("name").pipe(
    Options.withDescription("What the token is for, to tell it from others later"),
    Options.withDefault("command line")
  ),
  scopes: Options.choice("scope", TokenScope.literals).pipe(
    Options.withDescription("What it is good for: read sees, write also acts; both when not given, may be repeated"),
    Options.repeated
  ),
  json
}).pipe(
  Command.withDescription("Make an access token and print it."),
  Command.withHandler((options) =>
    lazily(
      () => import("../server/tokens.ts"),
      ({ create }) => create(options)
    )
  )
)

export const list = Command.make("list", {
  login: Options.text("login").pipe(Options.withDescription("Only tokens of this login"), Options.optional),
  json
}).pipe(
  Command.withDescription("List tokens, revoked ones included. The tokens themselves are not stored."),
  Command.withHandler((options) =>
    lazily(
      () => import("../server/tokens.ts"),
      ({ list }) => list(options)
    )
  )
)

export const revoke = Command.make("revoke", {
  id: argument("id", "Id of the token, as `errand token list` shows it"),
  json
}).pipe(
  Command.withDescription("End a token, and the streams that are open with it."),
  Command.withHandler((options) =>
    lazily(
      () => import("../server/tokens.ts"),
      ({ revoke }) => revoke(options)
    )
  )
)

export const token = Command.make("token").pipe(
  Command.withDescription(
    "Make, list and revoke access tokens. Works on the data directory (ERRAND_DATA_DIR), also while the server runs."
  ),
  Command.withSubcommands([create, list, revoke])
)
