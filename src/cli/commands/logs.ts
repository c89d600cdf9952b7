/** `errand logs`: what happened. */
import { Command, Options } from "@effect/cli"
import { lazily } from "../lazily.ts"
import { argument, connection, json } from "../options.ts"

export const logs = Command.make("logs", {
  task: argument("task", "Id of the task"),
  follow: Options.boolean("follow").pipe(
    Options.withAlias("f"),
    Options.withDescription("Go on until the task has ended")
  ),
  json,
  ...connection
}).pipe(
  Command.withDescription("Tell what has happened to a task, from the start."),
  Command.withHandler((options) =>
    lazily(
      () => import("../client/logs.ts"),
      ({ logs }) => logs(options)
    )
  )
)
