/**
 * Where a run takes the work up: at the beginning, or where the conversation and the last checkpoint are.
 */
import { Effect, Option, Ref } from "effect"
import { GitStore } from "../services/GitStore.ts"
import { Ids } from "../services/Ids.ts"
import type { ToolUseBlock } from "../services/Message.ts"
import { TaskChange } from "../services/TaskChange.ts"
import { TaskRepo } from "../services/TaskRepo.ts"
import { findQuestion } from "./askUser.ts"
import { storeKey, type Workplace } from "./checkpoint.ts"
import { openCalls, text, toolResult, toTurn } from "./conversation.ts"
import { firstMessage, instructionFiles, instructionsLimit } from "./prompt.ts"
import type { TaskRun } from "./TaskRun.ts"
import { isReadOnly } from "./toolCatalogue.ts"
import { forModel } from "./tools.ts"
import { started, useTools } from "./useTools.ts"
import { startingFrom } from "./work.ts"

export const resume = Effect.fn("resume")(function* (run: TaskRun, place: Workplace) {
  const repo = yield* TaskRepo
  const { id } = yield* run.task
  const stored = (yield* repo.conversation(id)).map(toTurn)
  if (stored.length === 0) return yield* begin(run)
  const outbox = yield* answerCalls(run, place, openCalls(stored))
  const ended = outbox.length === 0 && stored.at(-1)?.role === "assistant"
  return { ...startingFrom(stored), outbox, ended }
})

const begin = Effect.fnUntraced(function* (run: TaskRun) {
  const ids = yield* Ids
  const task = yield* run.task
  const content = [text(firstMessage(task, yield* instructions(run)))]
  yield* run.record([
    TaskChange.MessageAdded({ messageId: yield* ids.message, role: "user", content, delivers: [], startsOver: false })
  ])
  return startingFrom([{ role: "user", content }])
})

/** Read from the commit that the task starts from, never from the work tree. */
const instructions = Effect.fnUntraced(function* (run: TaskRun) {
  const store = yield* GitStore
  const task = yield* run.task
  const { baseCommit } = task
  if (baseCommit === null) return []
  const found = yield* Effect.forEach(instructionFiles, (file) =>
    Effect.map(
      store.readFile(storeKey(task), baseCommit, file, instructionsLimit + 1),
      Option.map((bytes) => ({
        file,
        text: new TextDecoder().decode(bytes.subarray(0, instructionsLimit)),
        truncated: bytes.length > instructionsLimit
      }))
    )
  )
  return found.flatMap(Option.toArray)
})

const lost =
  "[interrupted: the server restarted before the effect of this call was saved, and the working directory is as it was before it. Call it again if it is still needed.]"

/**
 * Results for the calls that the last run left open. What only read keeps its result; what may have changed files is
 * told to be lost, since the work tree is that of the checkpoint before; what never began, or waited for a person, is
 * run now.
 */
const answerCalls = Effect.fnUntraced(function* (run: TaskRun, place: Workplace, calls: ReadonlyArray<ToolUseBlock>) {
  const repo = yield* TaskRepo
  const { id } = yield* run.task
  return yield* Effect.forEach(calls, (call) =>
    Effect.gen(function* () {
      const known = yield* repo.toolCall(id, call.id)
      if (Option.isNone(known)) yield* run.record(started([call]))
      const { isError, output } = Option.getOrElse(known, () => ({ isError: null, output: null }))
      const waits = output === null && Option.isSome(yield* findQuestion(id, call.id))
      if (Option.isNone(known) || waits) return yield* runNow(run, place, call)
      return output !== null && isReadOnly(call.name)
        ? toolResult(call.id, forModel(output), isError === true)
        : toolResult(call.id, lost, true)
    })
  )
})

const runNow = Effect.fnUntraced(function* (run: TaskRun, place: Workplace, call: ToolUseBlock) {
  yield* Ref.set(place.tree, "touched")
  const {
    ends,
    results: [result]
  } = yield* useTools(run, place.sandbox, [[call]], new Set())
  yield* run.record(ends)
  return result ?? toolResult(call.id, lost, true)
})
