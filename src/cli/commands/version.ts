/** `errand version`: what this is. */
import { Command } from "@effect/cli"
import { protocol, version as number } from "../../http/api/version.ts"
import { json } from "../options.ts"
import { line } from "../render/Line.ts"
import { print, writeJson } from "../Screen.ts"

export const version = Command.make("version", { json }).pipe(
  Command.withDescription("Print the version of Errand and of the Node it runs on."),
  Command.withHandler((options) =>
    options.json
      ? writeJson({ version: number, protocol, node: process.versions.node })
      : print(line(`errand ${number} on Node ${process.versions.node}`))
  )
)
