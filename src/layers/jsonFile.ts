/** JSON files that a user writes: read once at the start, with every mistake told by its place. */
import { FileSystem } from "@effect/platform"
import { Effect, Either, ParseResult, Schema } from "effect"

export class JsonFileInvalid extends Schema.TaggedError<JsonFileInvalid>()("JsonFileInvalid", {
  path: Schema.String,
  problems: Schema.Array(Schema.String)
}) {
  override get message() {
    return `${this.path} can't be used:\n${this.problems.map((problem) => `  ${problem}`).join("\n")}`
  }
}

const mostProblems = 20

/** Fails with what is wrong when the file can't be read, is not JSON, or is not what `decode` expects. */
export const readJsonFile = <A>(
  path: string,
  decode: (value: unknown) => Effect.Effect<A, ParseResult.ParseError>
): Effect.Effect<A, JsonFileInvalid, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const text = yield* files
      .readFileString(path)
      .pipe(Effect.mapError((error) => new JsonFileInvalid({ path, problems: [error.message] })))
    const value = yield* Either.try({
      try: (): unknown => JSON.parse(text),
      catch: (error) => new JsonFileInvalid({ path, problems: [`it is not JSON: ${String(error)}`] })
    })
    return yield* decodeNamed(path, decode(value))
  })

/** Tells mistakes by their places in what `path` names. */
export const decodeNamed = <A>(
  path: string,
  decoded: Effect.Effect<A, ParseResult.ParseError>
): Effect.Effect<A, JsonFileInvalid> =>
  Effect.mapError(decoded, (error) => new JsonFileInvalid({ path, problems: describeProblems(error) }))

/** One line for each mistake: its place in the value and what is wrong. */
const describeProblems = (error: ParseResult.ParseError): ReadonlyArray<string> => {
  const problems = ParseResult.ArrayFormatter.formatErrorSync(error).map(({ message, path }) =>
    path.length === 0 ? message : `${path.map(String).join(".")}: ${message}`
  )
  const rest = problems.length - mostProblems
  return rest > 0 ? [...problems.slice(0, mostProblems), `and ${rest} more`] : problems
}
