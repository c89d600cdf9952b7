/** Options that several commands share. */
import { Args, Options } from "@effect/cli"
import { Config } from "effect"
import { refuseOptions } from "./argv.ts"

export const json = Options.boolean("json").pipe(Options.withDescription("Print JSON, one value on each line"))

/** Where the server is, and who asks. */
export const connection = {
  server: Options.text("server").pipe(
    Options.withAlias("url"),
    Options.withDescription("URL of the server; ERRAND_URL, else http://127.0.0.1:8787"),
    Options.withFallbackConfig(Config.string("ERRAND_URL")),
    Options.withDefault("http://127.0.0.1:8787")
  ),
  token: Options.redacted("token").pipe(
    Options.withDescription(
      "Access token instead of the session of `errand login`; better in ERRAND_TOKEN, where other users of this machine can't see it"
    ),
    Options.withFallbackConfig(Config.redacted("ERRAND_TOKEN")),
    Options.optional
  )
}

export const argument = (name: string, description: string) =>
  Args.text({ name }).pipe(Args.mapEffect(refuseOptions), Args.withDescription(description))
