/** The log, on standard error: standard output belongs to what was asked for. Colours for people, logfmt for programs. */
import { type Context, Layer, Logger, LogLevel, Option } from "effect"
import type { AppConfig } from "../services/AppConfig.ts"

type LogSettings = Context.Tag.Service<AppConfig>["log"]

const loggerFor = (format: Option.Option.Value<LogSettings["format"]>): Logger.Logger<unknown, void> => {
  switch (format) {
    case "pretty":
      return Logger.prettyLogger({ stderr: true })
    case "logfmt":
      return Logger.withConsoleError(Logger.logfmtLogger)
    case "json":
      return Logger.withConsoleError(Logger.jsonLogger)
  }
}

const levels = {
  debug: LogLevel.Debug,
  info: LogLevel.Info,
  warning: LogLevel.Warning,
  error: LogLevel.Error
} as const satisfies Record<LogSettings["level"], LogLevel.LogLevel>

const usual = loggerFor(process.stderr.isTTY ? "pretty" : "logfmt")

export const layer = Logger.replace(Logger.defaultLogger, usual)

/** As the settings of a server say; above `layer`. */
export const layerOf = ({ format, level }: LogSettings): Layer.Layer<never> =>
  Layer.merge(
    Option.match(format, { onNone: () => Layer.empty, onSome: (chosen) => Logger.replace(usual, loggerFor(chosen)) }),
    Logger.minimumLogLevel(levels[level])
  )
