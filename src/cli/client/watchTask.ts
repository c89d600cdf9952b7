/**
 * A task as it happens, on the screen or as JSON.
 *
 * Owns: turning what is followed into lines, and keeping the bottom of the screen alive meanwhile.
 * Does not own: the words (`render/`), the connection (`followTask.ts`).
 */
import { Clock, Effect, Ref, Schedule } from "effect"
import type { TaskId } from "../../services/Ids.ts"
import { line, span } from "../render/Line.ts"
import { afterEvent, afterPreview, doingNothing, frameMs, tellNow } from "../render/nowDoing.ts"
import { safeLine } from "../render/safeText.ts"
import { noStory, tellEvent } from "../render/tellEvent.ts"
import { Screen, writeJson } from "../Screen.ts"
import type { Connection } from "./Connection.ts"
import type { ErrandClient } from "./ErrandClient.ts"
import { type Followed, followTask } from "./followTask.ts"

const warning = (text: string) => line(span(`! ${text}`, "warning"))

const connectedAgain = warning("connected again")

/** Events become lines, previews and waiting become what moves at the bottom. */
const onScreen = Effect.gen(function* () {
  const screen = yield* Screen
  const state = yield* Ref.make({ story: noStory, doing: doingNothing, lost: false })

  const draw = Effect.gen(function* () {
    const { doing } = yield* Ref.get(state)
    yield* screen.show(tellNow(doing, yield* Clock.currentTimeMillis))
  })
  if (screen.interactive) {
    yield* Effect.addFinalizer(() => screen.show([]))
    yield* draw.pipe(Effect.repeat(Schedule.spaced(frameMs)), Effect.forkScoped)
  }

  return Effect.fnUntraced(function* (followed: Followed) {
    const { doing, lost, story } = yield* Ref.get(state)
    switch (followed._tag) {
      case "Event": {
        if (followed.event === undefined) return
        if (lost) yield* screen.print([connectedAgain])
        const [told, lines] = tellEvent(story, { at: followed.at, event: followed.event })
        const now = yield* Clock.currentTimeMillis
        const then = afterEvent(doing, followed.event, now)
        yield* Ref.set(state, { story: told, doing: then, lost: false })
        return lines.length > 0 ? yield* screen.print(lines, tellNow(then, now)) : undefined
      }
      case "Preview":
        return yield* Ref.set(state, { story, doing: afterPreview(doing, followed), lost })
      case "Live":
        if (lost) yield* screen.print([connectedAgain])
        return yield* Ref.set(state, { story, doing, lost: false })
      case "Lost":
        if (!lost) yield* screen.print([warning(`connection lost (${followed.detail}), trying again`)])
        return yield* Ref.set(state, { story, doing, lost: true })
      case "Replaced":
        return yield* screen.print([
          warning(`the server's log was replaced; the task is ${safeLine(followed.task.status)} now`)
        ])
    }
  })
})

const asJson = (followed: Followed) => (followed._tag === "Event" ? writeJson(followed.raw) : Effect.void)

/** Shows everything that happens to a task, and gives its status in the end. */
export const watchTask = (
  connection: Connection,
  client: ErrandClient,
  id: TaskId,
  options: { readonly json: boolean; readonly until: "final" | "told" }
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const screen = yield* Screen
      const tell = options.json
        ? (followed: Followed) => Effect.provideService(asJson(followed), Screen, screen)
        : yield* onScreen
      return yield* followTask(connection, client, id, options.until, tell)
    })
  )
