/** Points around a turn of the model: before the request, at its first words, and when it is whole. */
import { Context, Effect, Layer } from "effect"
import * as ClaudeClientAnthropic from "../../../src/layers/ClaudeClientAnthropic.ts"
import { ClaudeClient, ClaudeUnavailable, type TurnEvent } from "../../../src/services/ClaudeClient.ts"
import { passing, point } from "../faultPoint.ts"

const overloaded = Effect.fail(
  new ClaudeUnavailable({ status: 529, detail: "a fault was injected", retryAfterMs: null })
)

const listening = (hear: (event: TurnEvent) => void) => {
  let begun = false
  return (event: TurnEvent) => {
    const on = () => hear(event)
    if (begun) return on()
    begun = true
    passing("model.words", on, on)
  }
}

export const layer = Layer.map(ClaudeClientAnthropic.layer, (context) => {
  const claude = Context.get(context, ClaudeClient)
  return Context.add(context, ClaudeClient, {
    ...claude,
    turn: (request, hear) =>
      point("model.request", overloaded).pipe(
        Effect.zipRight(claude.turn(request, listening(hear))),
        Effect.zipLeft(point("model.answer"))
      )
  })
})
