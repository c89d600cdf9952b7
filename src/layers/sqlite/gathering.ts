/** Things that are offered in one turn of the event loop, taken together. */
import { Effect } from "effect"

export interface Gathering<A> {
  /** False once it is closed: nobody will take the item. */
  readonly offer: (item: A) => boolean
  /** Waits for a first item and for the end of its turn; then takes what has come, at most `most`. For one taker. */
  readonly take: Effect.Effect<ReadonlyArray<A>>
  /** What was never taken. */
  readonly close: Effect.Effect<ReadonlyArray<A>>
}

export const makeGathering = <A>(most: number): Gathering<A> => {
  const waiting: Array<A> = []
  let wake: (() => void) | undefined
  let open = true
  return {
    offer: (item) => {
      if (open) waiting.push(item)
      wake?.()
      return open
    },
    take: Effect.async((resume) => {
      const endOfTurn = () => {
        wake = undefined
        setImmediate(() => resume(Effect.sync(() => waiting.splice(0, most))))
      }
      if (waiting.length > 0) endOfTurn()
      else wake = endOfTurn
      return Effect.sync(() => {
        wake = undefined
      })
    }),
    close: Effect.sync(() => {
      open = false
      return waiting.splice(0)
    })
  }
}
