/** The log, on standard error: standard output belongs to what was asked for. Colours for people, logfmt for programs. */
import { Logger } from "effect"

export const layer = Logger.replace(
  Logger.defaultLogger,
  process.stderr.isTTY ? Logger.prettyLogger({ stderr: true }) : Logger.withConsoleError(Logger.logfmtLogger)
)
