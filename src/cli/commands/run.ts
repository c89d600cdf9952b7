/** `errand run`: hands a task over and follows it. */
import { Command, Options } from "@effect/cli"
import { Approvals, Delivery, NetworkMode } from "../../services/Task.ts"
import { lazily } from "../lazily.ts"
import { argument, connection, json } from "../options.ts"

const text = (name: string, description: string) =>
  Options.text(name).pipe(Options.withDescription(description), Options.optional)

const number = (name: string, description: string) =>
  Options.float(name).pipe(Options.withDescription(description), Options.optional)

const choice = <const Choices extends ReadonlyArray<string>>(name: string, choices: Choices, description: string) =>
  Options.choice(name, choices).pipe(Options.withDescription(description), Options.optional)

export const run = Command.make("run", {
  repository: argument("repository", "URL of the git repository"),
  prompt: argument("prompt", "What to do; - reads it from standard input"),
  ref: text("ref", "Branch, tag or commit to start from (the default branch)"),
  title: text("title", "Title of the task and of its commit (made from the prompt)"),
  model: text("model", "Model to use (the server's own choice)"),
  delivery: choice("delivery", Delivery.literals, "What becomes of the result (branch)"),
  maxTurns: number("max-turns", "Turns of the model after which the task is paused"),
  maxCostUsd: number("max-cost-usd", "Dollars after which the task is paused"),
  maxDurationSeconds: number("max-duration-seconds", "Seconds of work after which the task is paused"),
  network: choice("network", NetworkMode.literals, "Network that the task may use (the server's default)"),
  hosts: Options.text("allow-host").pipe(
    Options.withDescription("Host that --network allowlist allows; may be repeated"),
    Options.repeated
  ),
  approvals: choice("approvals", Approvals.literals, "Whether the agent asks before risky commands (never)"),
  priority: number("priority", "Place in the queue, higher ones first (0)"),
  tags: Options.text("tag").pipe(Options.withDescription("Tag of the task; may be repeated"), Options.repeated),
  secrets: Options.text("secret").pipe(
    Options.withDescription("Secret that the task may use, by its name; may be repeated"),
    Options.repeated
  ),
  detach: Options.boolean("detach").pipe(Options.withDescription("Print the task's id and end")),
  json,
  ...connection
}).pipe(
  Command.withDescription(
    "Hand a task to a server and follow it to its end. Ctrl-C leaves the task alone, a second one right after cancels it."
  ),
  Command.withHandler((options) =>
    lazily(
      () => import("../client/run.ts"),
      ({ run }) => run(options)
    )
  )
)
