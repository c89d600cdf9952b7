/** `errand demo`: the whole of it, with nothing set up. */
import { Command, Options } from "@effect/cli"
import { lazily } from "../lazily.ts"
import { json } from "../options.ts"

export const demo = Command.make("demo", {
  keep: Options.boolean("keep").pipe(
    Options.withDescription("Leave the remote and the server's data where they are, and say where")
  ),
  json
}).pipe(
  Command.withDescription(
    "See a task from submission to pushed branch in a few seconds: a real server, a real git remote, real tools, and a model that plays a script. Needs no account, key, Docker or network, and leaves nothing behind."
  ),
  Command.withHandler((options) =>
    lazily(
      () => import("../demo/demo.ts"),
      ({ demo }) => demo(options)
    )
  )
)
