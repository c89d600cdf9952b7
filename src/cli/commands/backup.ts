/** `errand backup`: all that must not be lost, in one directory. */
import { Command, Options } from "@effect/cli"
import { lazily } from "../lazily.ts"
import { json } from "../options.ts"

export const backup = Command.make("backup", {
  to: Options.directory("to").pipe(
    Options.withDescription(
      "Directory in which the backup becomes a directory of its own (backups in the data directory)"
    ),
    Options.optional
  ),
  databaseOnly: Options.boolean("database-only").pipe(
    Options.withDescription("Leave out the repositories: diffs and checkpoints that were not pushed are in them")
  ),
  json
}).pipe(
  Command.withDescription(
    "Back up the database and the repositories of the data directory, also while the server runs. The key of the secrets (secret.key, or ERRAND_SECRET_KEY) is not part of it: keep that elsewhere."
  ),
  Command.withHandler((options) =>
    lazily(
      () => import("../server/backup.ts"),
      ({ backup }) => backup(options)
    )
  )
)
