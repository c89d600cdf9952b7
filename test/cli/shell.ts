/** The command line without a process: what is typed, and what a shell would see of it. */
import { type Console, Effect } from "effect"
import { errand } from "../../src/cli/errand.ts"
import { exitCodeOf } from "../../src/cli/outcome.ts"
import { layOut } from "../../src/cli/render/Line.ts"
import { Screen } from "../../src/cli/Screen.ts"

/** Runs a command line and gives what a shell would see of it; `said` hears each piece of output. */
export const shell = Effect.fnUntraced(function* (
  line: string,
  said: (text: string) => Effect.Effect<unknown> = () => Effect.void
) {
  let output = ""
  let complaints = ""
  const write = (text: string) =>
    Effect.zipRight(
      Effect.sync(() => {
        output += text
      }),
      Effect.asVoid(said(text))
    )
  const screen = Screen.of({
    interactive: false,
    color: false,
    print: (lines) =>
      write(`${lines.flatMap((each) => layOut(each, { columns: undefined, color: false })).join("\n")}\n`),
    show: () => Effect.void,
    write
  })
  const exit = yield* Effect.consoleWith((console) =>
    Effect.withConsole(Effect.exit(errand(line.split(" ").filter((word) => word !== ""))), {
      ...console,
      log: (...texts) => write(`${texts.join(" ")}\n`),
      error: (...texts) =>
        Effect.sync(() => {
          complaints += `${texts.join(" ")}\n`
        })
    } satisfies Console.Console)
  ).pipe(Effect.provideService(Screen, screen))
  return { code: exitCodeOf(exit), output, complaints }
})
