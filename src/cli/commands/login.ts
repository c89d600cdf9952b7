/** `errand login` and `errand logout`: a session of this machine at a server. */
import { Command, Options } from "@effect/cli"
import { lazily } from "../lazily.ts"
import { connection, json } from "../options.ts"

const { server } = connection

export const login = Command.make("login", {
  server,
  code: Options.text("code").pipe(
    Options.withDescription("Code of `errand pair`, or of a device that is signed in, instead of GitHub"),
    Options.optional
  ),
  json
}).pipe(
  Command.withDescription(
    "Sign in at a server: shows a code to type at GitHub, on any device. Other commands use and renew the session, which is kept in $XDG_CONFIG_HOME/errand/session.json (or ~/.config)."
  ),
  Command.withHandler((options) =>
    lazily(
      () => import("../client/login.ts"),
      ({ login }) => login(options)
    )
  )
)

export const logout = Command.make("logout", { server, json }).pipe(
  Command.withDescription("End the session at a server, and forget it here."),
  Command.withHandler((options) =>
    lazily(
      () => import("../client/logout.ts"),
      ({ logout }) => logout(options)
    )
  )
)
