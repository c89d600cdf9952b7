/**
 * Which git was found to be good, remembered in a file: starting one to ask takes a twentieth of a server's start.
 */
import { FileSystem } from "@effect/platform/FileSystem"
import { Effect, Option } from "effect"
import { statSync } from "node:fs"
import { delimiter, join } from "node:path"

/** The first git on a PATH, so that no other one is taken for it. */
const find = (searched: string): Option.Option<string> => {
  for (const directory of searched.split(delimiter)) {
    const path = join(directory, "git")
    const file = statSync(path, { throwIfNoEntry: false })
    if (file?.isFile() === true && (file.mode & 0o111) !== 0)
      return Option.some([path, file.ino, file.size, file.mtimeMs, file.ctimeMs].join(" "))
  }
  return Option.none()
}

/** Runs the check, unless the file says that this very program has passed it; it is written when the check succeeds. */
export const unlessKnown = <E, R>(
  file: string,
  searched: string,
  check: Effect.Effect<void, E, R>
): Effect.Effect<void, E, R | FileSystem> =>
  Effect.gen(function* () {
    const files = yield* FileSystem
    const program = yield* Effect.option(Effect.try(() => find(searched))).pipe(Effect.map(Option.flatten))
    const known = yield* Effect.option(files.readFileString(file))
    if (Option.isSome(program) && Option.contains(known, program.value)) return
    yield* check
    if (Option.isSome(program)) yield* Effect.ignore(files.writeFileString(file, program.value))
  })
