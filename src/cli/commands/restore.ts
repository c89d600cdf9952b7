/** `errand restore`: from a backup back to a data directory. */
import { Command, Options } from "@effect/cli"
import { lazily } from "../lazily.ts"
import { argument, json } from "../options.ts"

export const restore = Command.make("restore", {
  source: argument(
    "source",
    "A backup made by `errand backup`, a database file, the URL of a Litestream replica, or Litestream's configuration (.yml)"
  ),
  prove: Options.boolean("prove").pipe(
    Options.withDescription("Only show that it can be restored: nothing changes, and a server may run meanwhile")
  ),
  replace: Options.boolean("replace").pipe(
    Options.withDescription("Put the database that is there aside, into backups in the data directory")
  ),
  json
}).pipe(
  Command.withDescription(
    "Restore the data directory from a backup while no server runs on it. Clients are told to load everything again, and tasks that ran go on from their last checkpoint."
  ),
  Command.withHandler((options) =>
    lazily(
      () => import("../server/restore.ts"),
      ({ restore }) => restore(options)
    )
  )
)
