import { Effect } from "effect"

/** Loads what a command needs when it is called, so that others (and `--help`) start without it. */
export const lazily = <Module, A, E, R>(
  load: () => Promise<Module>,
  use: (module: Module) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => Effect.flatMap(Effect.promise(load), use)
