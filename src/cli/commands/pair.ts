/** `errand pair`: lets a device in from the terminal of the server. */
import { Command, Options } from "@effect/cli"
import { lazily } from "../lazily.ts"
import { json } from "../options.ts"

export const pair = Command.make("pair", {
  login: Options.text("login").pipe(
    Options.withDescription("Whose device it will be; a new login becomes a user (the first user, or yourself)"),
    Options.optional
  ),
  json
}).pipe(
  Command.withDescription(
    "Let a new device in: shows a link, a QR code and a code for one use, and asks for the number that the device shows. Works on the data directory (ERRAND_DATA_DIR), also while the server runs."
  ),
  Command.withHandler((options) =>
    lazily(
      () => import("../server/pair.ts"),
      ({ pair }) => pair(options)
    )
  )
)
