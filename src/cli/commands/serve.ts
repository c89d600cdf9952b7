/** `errand serve`: the server. */
import { Command } from "@effect/cli"
import { lazily } from "../lazily.ts"
import { json } from "../options.ts"

export const serve = Command.make("serve", { json }).pipe(
  Command.withDescription(
    "Run the server until SIGTERM, SIGINT or SIGHUP. Settings come from the environment and from .env; .env.example names them all. One line on standard output says where it answers, the log goes to standard error."
  ),
  Command.withHandler((options) =>
    lazily(
      () => import("../server/serve.ts"),
      ({ serve }) => serve(options)
    )
  )
)
