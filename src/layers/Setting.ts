/**
 * A setting: an environment variable that is read and documented in one place.
 *
 * Owns: reading a variable with its default, and the sentence that says what is wrong with its value.
 * Does not own: which settings exist (`AppConfigEnv.ts`), how values are written (`SettingSyntax.ts`).
 */
import { Config, ConfigError, Either, Option } from "effect"
import type { Syntax } from "./SettingSyntax.ts"

/** A variable as people read about it. `default` is null when the variable is simply not set. */
export interface SettingDocumentation {
  readonly name: string
  readonly description: string
  readonly default: string | null
}

export interface Setting<A> {
  readonly documentation: SettingDocumentation
  readonly config: Config.Config<A>
}

const isSecret = (name: string): boolean => /_(?:KEY|SECRET|HEADERS)$/.test(name)

/** A URL can hold a password, and what is wrong with a setting is read in logs. */
const withoutUser = (text: string) => text.replace(/(https?:\/\/)[^/@\s]*@/gi, "$1…@")

const refusal = (name: string, text: string, remedy: string): ConfigError.ConfigError => {
  const shown = JSON.stringify(withoutUser(text).slice(0, 80))
  const subject = isSecret(name) ? `${name} can't be used` : `${name} is ${shown}`
  return ConfigError.InvalidData([], `${subject}: use ${remedy}.`)
}

const parse = <A>(name: string, syntax: Syntax<A>, text: string): Either.Either<A, ConfigError.ConfigError> =>
  Either.mapLeft(syntax(text), (remedy) => refusal(name, text, remedy))

/** The text of a variable. A blank one counts as not set, because Compose files can't always leave one out. */
const text = (name: string): Config.Config<Option.Option<string>> =>
  Config.string(name).pipe(
    Config.option,
    Config.map(Option.filterMap((value) => Option.liftPredicate(value.trim(), (trimmed) => trimmed !== "")))
  )

const setting = <A>(
  name: string,
  description: string,
  fallback: string | null,
  decode: (text: Option.Option<string>) => Either.Either<A, ConfigError.ConfigError>
): Setting<A> => ({
  documentation: { name, description, default: fallback },
  config: text(name).pipe(Config.mapOrFail(decode), Config.withDescription(description))
})

/** A setting that may be left out. */
export const optional = <A>(name: string, syntax: Syntax<A>, description: string): Setting<Option.Option<A>> =>
  setting(
    name,
    description,
    null,
    Option.match({
      onNone: () => Either.right(Option.none()),
      onSome: (value) => Either.map(parse(name, syntax, value), Option.some)
    })
  )

/** A setting with a default, which is written as its owner would write it. */
export const withDefault = <A>(name: string, syntax: Syntax<A>, fallback: string, description: string): Setting<A> =>
  setting(name, description, fallback, (value) =>
    parse(
      name,
      syntax,
      Option.getOrElse(value, () => fallback)
    )
  )

/** A setting whose default is computed; `fallbackText` tells people how. */
export const withComputedDefault = <A>(
  name: string,
  syntax: Syntax<A>,
  fallback: A,
  fallbackText: string,
  description: string
): Setting<A> =>
  setting(
    name,
    description,
    fallbackText,
    Option.match({ onNone: () => Either.right(fallback), onSome: (value) => parse(name, syntax, value) })
  )
