/** `errand doctor`: what is wrong here, and what to do. */
import { Command } from "@effect/cli"
import { lazily } from "../lazily.ts"
import { json } from "../options.ts"

export const doctor = Command.make("doctor", { json }).pipe(
  Command.withDescription(
    "Check settings, Node, git, the data directory, the sandbox, the model and access. Every finding has its remedy."
  ),
  Command.withHandler((options) =>
    lazily(
      () => import("../server/doctor.ts"),
      ({ doctor }) => doctor(options)
    )
  )
)
