/** Every line that a request logs says which request it is about, and which task. */
import { expect, it } from "@effect/vitest"
import { Effect, HashMap, Layer, Logger, LogLevel } from "effect"
import { ask, door, submit, tokenFor } from "./door.ts"

// Seen to fail without the annotation at the edge.
it.scopedLive("two requests side by side log lines that can be told apart", () =>
  Effect.gen(function* () {
    const lines: Array<Readonly<Record<string, unknown>>> = []
    const logger = Logger.make<unknown, void>(({ annotations, message }) => {
      lines.push({ text: String(message), ...Object.fromEntries(HashMap.toEntries(annotations)) })
    })
    const log = Layer.merge(Logger.replace(Logger.defaultLogger, logger), Logger.minimumLogLevel(LogLevel.Debug))
    const asked = yield* Effect.gen(function* () {
      const { token } = yield* tokenFor("alice")
      const ids = [yield* submit(token), yield* submit(token)]
      return yield* Effect.forEach(
        ids,
        (id, index) =>
          Effect.map(
            ask("GET", `/api/v1/tasks/${id}/checkpoints?q=words`, {
              token,
              headers: { "x-request-id": `request-${index}` }
            }),
            () => ({ taskId: id, requestId: `request-${index}` })
          ),
        { concurrency: 2 }
      )
    }).pipe(Effect.provide(door({ logger: log })))
    const about = (requestId: string) => lines.filter((line) => line["requestId"] === requestId)
    for (const { requestId, taskId } of asked) {
      expect(about(requestId)).toEqual([
        expect.objectContaining({ text: "Answered.", taskId, requestId, path: `/api/v1/tasks/${taskId}/checkpoints` })
      ])
    }
    expect(lines.filter((line) => line["requestId"] === undefined)).toEqual([])
  })
)
