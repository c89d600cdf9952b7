/** `errand tasks`: what there is. */
import { Command, Options } from "@effect/cli"
import { TaskStatus } from "../../services/TaskStatus.ts"
import { lazily } from "../lazily.ts"
import { connection, json } from "../options.ts"

const text = (name: string, description: string) =>
  Options.text(name).pipe(Options.withDescription(description), Options.optional)

export const tasks = Command.make("tasks", {
  status: Options.choice("status", TaskStatus.literals).pipe(
    Options.withDescription("Only tasks in this status; may be repeated"),
    Options.repeated
  ),
  repository: text("repository", "Only tasks on the repository with this URL"),
  tag: text("tag", "Only tasks with this tag"),
  q: text("query", "Only tasks in which all these words occur"),
  limit: Options.integer("limit").pipe(
    Options.withDescription("How many tasks, from 1 to 1000"),
    Options.withDefault(20)
  ),
  json,
  ...connection
}).pipe(
  Command.withDescription("List tasks, newest first."),
  Command.withHandler((options) =>
    lazily(
      () => import("../client/listTasks.ts"),
      ({ listTasks }) => listTasks(options)
    )
  )
)
