/** `errand key`: changing the server's keys. */
import { Command, Options } from "@effect/cli"
import { lazily } from "../lazily.ts"
import { json } from "../options.ts"

export const rotate = Command.make("rotate", {
  forgetOlder: Options.boolean("forget-older").pipe(
    Options.withDescription("Then forget the older keys; backups from before can't be used any more")
  ),
  json
}).pipe(
  Command.withDescription(
    "Make a new key for secrets at rest and seal them all with it. With ERRAND_SECRET_KEY, change that first and put the old one into ERRAND_PREVIOUS_SECRET_KEY. The server may run; when it breaks off, run it again."
  ),
  Command.withHandler((options) =>
    lazily(
      () => import("../server/keys.ts"),
      ({ rotate }) => rotate(options)
    )
  )
)

export const rotateSigning = Command.make("rotate-signing", {
  atOnce: Options.boolean("at-once").pipe(
    Options.withDescription("Without an overlap: every access token ends now, and devices renew theirs")
  ),
  json
}).pipe(
  Command.withDescription("Let a new key sign access tokens."),
  Command.withHandler((options) =>
    lazily(
      () => import("../server/keys.ts"),
      ({ rotateSigning }) => rotateSigning(options)
    )
  )
)

export const key = Command.make("key").pipe(
  Command.withDescription("Change the keys of the server in the data directory (ERRAND_DATA_DIR)."),
  Command.withSubcommands([rotate, rotateSigning])
)
