/**
 * Running the tool calls of one answer: calls that only read run side by side, all others one after the other.
 */
import { Duration, Effect, Exit, Fiber } from "effect"
import { AppConfig } from "../services/AppConfig.ts"
import { EventBus, taskStream } from "../services/EventBus.ts"
import type { ToolResultBlock, ToolUseBlock } from "../services/Message.ts"
import type { SandboxHandle } from "../services/Sandbox.ts"
import { TaskChange } from "../services/TaskChange.ts"
import { type Attributes, traced } from "../services/traced.ts"
import { reasonToAsk } from "./approvals.ts"
import { answerText, type Asking, askUser, defaultAnswer, findQuestion } from "./askUser.ts"
import { toolResult } from "./conversation.ts"
import { showText } from "./showText.ts"
import type { TaskRun } from "./TaskRun.ts"
import { decoders, invalidInput, isReadOnly, isTool } from "./toolCatalogue.ts"
import { failure, forModel, runTool, type ToolOutcome } from "./tools.ts"

/** Calls that run together. */
export type Group = readonly [ToolUseBlock, ...ReadonlyArray<ToolUseBlock>]

const sideBySide = 4

export const group = (calls: ReadonlyArray<ToolUseBlock>): ReadonlyArray<Group> => {
  const groups: Array<Group> = []
  for (const call of calls) {
    const last = groups.at(-1)
    const joins = last !== undefined && last.length < sideBySide && isReadOnly(call.name) && isReadOnly(last[0].name)
    if (joins) groups[groups.length - 1] = [...last, call]
    else groups.push([call])
  }
  return groups
}

export const started = (group: Group | undefined): ReadonlyArray<TaskChange> =>
  (group ?? []).map(({ id, input, name }) => TaskChange.ToolStarted({ toolCallId: id, tool: name, input }))

/** What came of the calls of one answer; `ends` is for whoever stores it next. */
export interface ToolsUsed {
  readonly results: ReadonlyArray<ToolResultBlock>
  readonly ends: ReadonlyArray<TaskChange>
}

/**
 * Runs the groups in order and gives the results in the order of the calls. The first group must have been recorded as
 * started; each later one is recorded together with the end of the one before, and the end of the last one is the
 * caller's to record. `broken` names calls whose input can't be trusted.
 */
export const useTools = Effect.fnUntraced(function* (
  run: TaskRun,
  sandbox: SandboxHandle,
  groups: ReadonlyArray<Group>,
  broken: ReadonlySet<string>
) {
  let used: ToolsUsed = { results: [], ends: [] }
  for (const group of groups) {
    if (used.ends.length > 0) yield* run.record([...used.ends, ...started(group)])
    const finished =
      group.length === 1
        ? [yield* timed(run, sandbox, group[0], broken)]
        : yield* Effect.forEach(group, (call) => timed(run, sandbox, call, broken), { concurrency: sideBySide })
    used = {
      results: [...used.results, ...finished.map(({ result }) => result)],
      ends: finished.map(({ change }) => change)
    }
  }
  return used
})

const timed = Effect.fnUntraced(function* (
  run: TaskRun,
  sandbox: SandboxHandle,
  call: ToolUseBlock,
  broken: ReadonlySet<string>
) {
  const [duration, unmasked] = yield* Effect.timed(
    broken.has(call.id)
      ? Effect.succeed(
          failure(`The input of ${call.name} is not whole, valid JSON, so nothing was run. Send it again.`)
        )
      : asSpan(call, perform(run, sandbox, call))
  )
  const outcome = { ...unmasked, output: run.mask.text(unmasked.output) }
  return {
    change: TaskChange.ToolFinished({
      toolCallId: call.id,
      isError: outcome.isError,
      exitCode: outcome.exitCode,
      durationMs: Math.round(Duration.toMillis(duration)),
      output: outcome.output,
      bytes: outcome.bytes
    }),
    result: toolResult(call.id, forModel(outcome.output), outcome.isError)
  }
})

/** A name that no tool has is the model's own words. */
const asSpan = <E, R>({ id, name }: ToolUseBlock, effect: Effect.Effect<ToolOutcome, E, R>) => {
  const tool = isTool(name) ? name : "unknown"
  return traced(
    `execute_tool ${tool}`,
    { attributes: { "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool, "gen_ai.tool.call.id": id } },
    (note) => Effect.tap(effect, (outcome) => Effect.sync(() => note(told(outcome))))
  )
}

const told = ({ bytes, exitCode, isError }: ToolOutcome): Attributes => ({
  "errand.tool.output_bytes": bytes,
  ...(exitCode === null ? {} : { "process.exit.code": exitCode }),
  ...(isError ? { "error.type": "tool_error" } : {})
})

const interrupted = failure("[interrupted: the user has sent a message]")

/** In a fiber of its own, which a request of the user interrupts; waiting for a person is not interrupted. */
const interruptible = <E, R>(run: TaskRun, tool: Effect.Effect<ToolOutcome, E, R>): Effect.Effect<ToolOutcome, E, R> =>
  Effect.acquireUseRelease(
    Effect.map(Effect.fork(Effect.interruptible(tool)), (fiber) => {
      const interrupt = () => fiber.unsafeInterruptAsFork(fiber.id())
      run.interrupts.add(interrupt)
      return { fiber, interrupt }
    }),
    ({ fiber }) =>
      Effect.flatMap(Fiber.await(fiber), (exit) => (Exit.isInterrupted(exit) ? Effect.succeed(interrupted) : exit)),
    ({ fiber, interrupt }) => {
      run.interrupts.delete(interrupt)
      return Fiber.interrupt(fiber)
    }
  )

const perform = Effect.fnUntraced(function* (run: TaskRun, sandbox: SandboxHandle, call: ToolUseBlock) {
  if (!isTool(call.name)) return failure(`There is no tool ${call.name}.`)
  if (call.name === "ask_user") return yield* ask(run, call)
  if (call.name === "run_command" && !(yield* allowed(run, call))) {
    return failure("The user did not allow this command. Find another way, or end your turn and say what you need.")
  }
  const bus = yield* EventBus
  const { commandSilenceMs: silenceMs } = (yield* AppConfig).sandbox
  const { id } = yield* run.task
  const decoder = new TextDecoder()
  const shows = showText(bus, run.mask, { stream: taskStream(id), item: call.id })
  const onOutput = (chunk: Uint8Array) => shows.push(decoder.decode(chunk, { stream: true }))
  const tool = runTool(sandbox, call.name, call.input, { onOutput, silenceMs })
  const outcome = yield* interruptible(run, tool)
  shows.push(decoder.decode())
  shows.end()
  return outcome
})

const askFor = Effect.fnUntraced(function* (run: TaskRun, call: ToolUseBlock, asking: Omit<Asking, "toolCallId">) {
  const { id } = yield* run.task
  return yield* askUser(run, { toolCallId: call.id, ...asking }, findQuestion(id, call.id))
})

const ask = (run: TaskRun, call: ToolUseBlock) =>
  decoders.ask_user(call.input).pipe(
    Effect.flatMap(({ choices = [], detail = "", question }) =>
      askFor(run, call, { kind: "question", title: question, detail, choices, default: defaultAnswer(choices) })
    ),
    Effect.map((answer): ToolOutcome => ({ ...failure(answerText(answer)), isError: false })),
    Effect.catchTag("ParseError", (error) => Effect.succeed(failure(invalidInput(call.name, error))))
  )

/** Asks for a command that the policy names; the default is no. */
const allowed = Effect.fnUntraced(function* (run: TaskRun, call: ToolUseBlock) {
  const { approvals } = yield* run.task
  if (approvals === "never") return true
  const command = yield* Effect.option(decoders.run_command(call.input))
  const shell = command._tag === "Some" ? command.value.command : ""
  const reason = reasonToAsk(shell)
  if (reason === undefined) return true
  const answer = yield* askFor(run, call, {
    kind: "approval",
    title: `Run a command that ${reason}?`,
    detail: shell,
    choices: ["Allow once", "Deny"],
    default: { decision: "deny", choice: "Deny" }
  })
  return answer.decision === "allow"
})
