/** `errand secrets`: what tasks may use and nobody gets to see. */
import { Command, Options } from "@effect/cli"
import { lazily } from "../lazily.ts"
import { argument, connection, json } from "../options.ts"

const name = argument("name", "Name of the secret: that of the environment variable in the sandbox")

export const set = Command.make("set", {
  name,
  hosts: Options.text("host").pipe(
    Options.withDescription("Host that gets the value (required); may be repeated"),
    Options.atLeast(1)
  ),
  json,
  ...connection
}).pipe(
  Command.withDescription("Store a secret, or replace it. Its value is read from standard input, or asked for."),
  Command.withHandler((options) =>
    lazily(
      () => import("../client/secrets.ts"),
      ({ set }) => set(options)
    )
  )
)

export const list = Command.make("list", { json, ...connection }).pipe(
  Command.withDescription("List the names of secrets and their hosts. Values are never shown."),
  Command.withHandler((options) =>
    lazily(
      () => import("../client/secrets.ts"),
      ({ list }) => list(options)
    )
  )
)

export const remove = Command.make("remove", { name, json, ...connection }).pipe(
  Command.withDescription("Forget a secret. Tasks that name it wait until it is stored again."),
  Command.withHandler((options) =>
    lazily(
      () => import("../client/secrets.ts"),
      ({ remove }) => remove(options)
    )
  )
)

export const secrets = Command.make("secrets").pipe(
  Command.withDescription("Store, list and remove the secrets that tasks may use."),
  Command.withSubcommands([set, list, remove])
)
