/**
 * Standard output, for a person or for a program.
 *
 * Owns: colours and width as the terminal has them, and lines at the bottom that are written over.
 * Does not own: what is said (`render/`). Output that nobody reads any more is no failure: `Signals` tells of it.
 */
import { Terminal } from "@effect/platform"
import { Config, Context, Effect, Layer, Ref } from "effect"
import { layOut, type Line, type Look } from "./render/Line.ts"

export class Screen extends Context.Tag("errand/cli/Screen")<
  Screen,
  {
    /** A person watches: what is shown at the bottom moves. */
    readonly interactive: boolean
    readonly color: boolean
    /** Prints above what is shown at the bottom, and replaces that in the same stroke when `bottom` is given. */
    readonly print: (lines: ReadonlyArray<Line>, bottom?: ReadonlyArray<Line>) => Effect.Effect<void>
    /** Replaces what is shown at the bottom; does nothing where nobody watches. */
    readonly show: (bottom: ReadonlyArray<Line>) => Effect.Effect<void>
    /** Text as it is, for programs. */
    readonly write: (text: string) => Effect.Effect<void>
  }
>() {}

/** One JSON value as one line. */
export const writeJson = (value: unknown) =>
  Effect.flatMap(Screen, (screen) => screen.write(`${JSON.stringify(value)}\n`))

export const print = (...lines: ReadonlyArray<Line>) => Effect.flatMap(Screen, (screen) => screen.print(lines))

/** Up to the first of so many rows, and everything below away. */
const erase = (rows: number): string => (rows === 0 ? "" : `\r\u001b[${rows}A\u001b[J`)

/** Rows that would scroll out of reach of `erase` are not shown. */
const fitting = (rows: ReadonlyArray<string>, height: number): ReadonlyArray<string> =>
  rows.slice(-Math.max(1, (height > 0 ? height : 24) - 1))

export const layer: Layer.Layer<Screen, never, Terminal.Terminal> = Layer.effect(
  Screen,
  Effect.gen(function* () {
    const terminal = yield* Terminal.Terminal
    const isTerminal = yield* terminal.isTTY
    const kind = yield* Config.string("TERM").pipe(Config.withDefault(""), Effect.orDie)
    const interactive = isTerminal && kind !== "dumb"
    // It knows NO_COLOR, FORCE_COLOR and what kinds of terminals can do.
    const color = isTerminal && process.stdout.hasColors()
    const look = Effect.map(terminal.columns, (columns): Look => ({
      columns: isTerminal ? (columns > 0 ? columns : 80) : undefined,
      color
    }))
    const shown = yield* Ref.make<ReadonlyArray<string>>([])
    const turn = yield* Effect.makeSemaphore(1)

    const display = (text: string) => (text === "" ? Effect.void : Effect.ignore(terminal.display(text)))
    const rowsOf = (lines: ReadonlyArray<Line>) =>
      Effect.map(look, (current) => lines.flatMap((line) => layOut(line, current)))

    const draw = Effect.fnUntraced(function* (above: ReadonlyArray<Line>, bottom: ReadonlyArray<Line> | undefined) {
      const before = yield* Ref.get(shown)
      const after =
        bottom === undefined ? before : interactive ? fitting(yield* rowsOf(bottom), yield* terminal.rows) : []
      yield* Ref.set(shown, after)
      yield* display(erase(before.length) + [...(yield* rowsOf(above)), ...after].map((row) => `${row}\n`).join(""))
    }, turn.withPermits(1))

    return Screen.of({
      interactive,
      color,
      print: (lines, bottom) => draw(lines, bottom),
      show: (bottom) => draw([], bottom),
      write: (text) => display(text)
    })
  })
)
