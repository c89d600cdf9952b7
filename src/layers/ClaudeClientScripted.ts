/**
 * ClaudeClient that plays a conversation script: for tests, the demo, and authors of clients.
 *
 * Its answers take the way of real ones, event by event, and say that they are scripted by the name of the model.
 */
import type { FileSystem } from "@effect/platform"
import { Effect, Layer, Option, Random, Stream } from "effect"
import { AppConfig } from "../services/AppConfig.ts"
import {
  ClaudeClient,
  type ClaudeError,
  ClaudeRejected,
  type Response,
  type TurnRequest
} from "../services/ClaudeClient.ts"
import { brokenOff, fromRefusal, noAnswer } from "./anthropic/failure.ts"
import { type AnswerEvent, IncomingAnswer, type WireEvent } from "./anthropic/IncomingAnswer.ts"
import { decodeNamed, JsonFileInvalid, readJsonFile } from "./jsonFile.ts"
import { FaultCounter } from "./scripted/FaultCounter.ts"
import { modelName } from "./scripted/modelName.ts"
import { playScript } from "./scripted/playScript.ts"
import { refusalOf } from "./scripted/refusal.ts"
import { decodeScript, type Fault, type Script, type ScriptSource } from "./scripted/Script.ts"
import {
  answerEvents,
  charactersOf,
  estimateTokens,
  eventsUntil,
  type ScriptedAnswer,
  writeAnswer
} from "./scripted/ScriptedAnswer.ts"

export { modelName }

/** Plays the file that the settings name. */
export const layer: Layer.Layer<ClaudeClient, JsonFileInvalid, AppConfig | FileSystem.FileSystem> = Layer.effect(
  ClaudeClient,
  Effect.gen(function* () {
    const { model } = yield* AppConfig
    const path = yield* Effect.mapError(
      model.script,
      () => new JsonFileInvalid({ path: "ERRAND_SCRIPT", problems: ["it names no file with a script"] })
    )
    return clientOf(yield* readJsonFile(path, decodeScript), model.silenceMs)
  })
)

/** Plays a script given in the code; a mistake in it is a defect. `silenceMs`: how long a silence is borne. */
export const layerWith = (script: ScriptSource, options?: { readonly silenceMs?: number }): Layer.Layer<ClaudeClient> =>
  Layer.effect(
    ClaudeClient,
    Effect.map(decodeNamed("The script", decodeScript(script)), (decoded) =>
      clientOf(decoded, options?.silenceMs ?? 60_000)
    )
  ).pipe(Layer.orDie)

const clientOf = (script: Script, silenceMs: number): typeof ClaudeClient.Service => {
  const faults = new FaultCounter()
  return ClaudeClient.of({
    configured: Effect.succeed(true),
    turn: (request, hear) =>
      Stream.unwrap(
        Effect.gen(function* () {
          const play = playScript(script, request.messages)
          if (Option.isNone(play)) return Stream.fail(noScenario)
          const answer = writeAnswer(play.value, {
            model: modelName,
            maxTokens: request.maxTokens,
            tokens: { inputTokens: inputTokens(request), outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 },
            unique: (yield* Random.nextIntBetween(0, Number.MAX_SAFE_INTEGER)).toString(36),
            sign: () => "scripted"
          })
          const fault = faults.next(request.messages, answer.faults)
          return Stream.concat(wait(answer.delayMs), speak(answer, fault, silenceMs))
        })
      ).pipe(
        Stream.runFoldWhile(Option.none<Response>(), Option.isNone, (_, event: AnswerEvent) => {
          if (event._tag === "Finished") return Option.some(event.response)
          hear(event)
          return Option.none()
        }),
        Effect.flatMap(
          Option.match({ onNone: () => Effect.dieMessage("a scripted answer has no end"), onSome: Effect.succeed })
        )
      )
  })
}

const noScenario = new ClaudeRejected({
  status: 400,
  type: "invalid_request_error",
  detail: "No scenario of the script matches this prompt, and none goes without `match`."
})

const inputTokens = (request: TurnRequest): number =>
  estimateTokens(JSON.stringify([request.system, request.tools, request.messages]).length)

const speak = (
  answer: ScriptedAnswer,
  fault: Fault | undefined,
  silenceMs: number
): Stream.Stream<AnswerEvent, ClaudeError> => {
  const silence = wait(silenceMs)
  const seconds = `nothing came for ${silenceMs / 1000} s`
  switch (fault?.fault) {
    case undefined:
      return Stream.suspend(() => typed(answer, (length) => answerEvents(answer, length), new IncomingAnswer()))
    case "http":
    case "bad_gateway":
      return Stream.fail(fromRefusal(refusalOf(fault)))
    case "reset":
      return Stream.fail(noAnswer("ECONNRESET"))
    case "no_answer":
      return Stream.concat(silence, Stream.fail(noAnswer(seconds)))
    case "cut":
      return brokenAfter(answer, fault.after, "cut", "the connection was lost")
    case "early_end":
      return brokenAfter(answer, fault.after, "cut", "it ended too early")
    case "malformed":
      return brokenAfter(answer, fault.after, "malformed", "an event is not JSON")
    case "error_event":
      return brokenAfter(answer, fault.after, "error_event", fault.message ?? fault.type ?? "Overloaded")
    case "silence":
      return brokenAfter(answer, fault.after, "silent", seconds, silence)
  }
}

const brokenAfter = (
  answer: ScriptedAnswer,
  after: number | undefined,
  reason: Parameters<typeof brokenOff>[0],
  why: string,
  before: Stream.Stream<never> = Stream.empty
): Stream.Stream<AnswerEvent, ClaudeError> =>
  Stream.suspend(() => {
    const incoming = new IncomingAnswer()
    const broken = Stream.suspend(() => Stream.fail(brokenOff(reason, incoming.partial, why)))
    return typed(answer, (length) => eventsUntil(answer, after ?? 0, length), incoming).pipe(
      Stream.concat(before),
      Stream.concat(broken)
    )
  })

const pause = (ms: number): Effect.Effect<void> => (ms > 0 ? Effect.sleep(ms) : Effect.void)

const wait = (ms: number): Stream.Stream<never> => Stream.drain(Stream.fromEffect(pause(ms)))

const keystrokeMs = 50

const typed = (
  answer: ScriptedAnswer,
  eventsIn: (pieceLength: number) => ReadonlyArray<WireEvent>,
  incoming: IncomingAnswer
): Stream.Stream<AnswerEvent> => {
  const speed = answer.charactersPerSecond
  const heard = (event: WireEvent) => incoming.accept(event) ?? []
  if (speed === undefined) return Stream.fromIterable(eventsIn(Infinity).flatMap(heard))
  return Stream.fromIterable(eventsIn(Math.round((speed * keystrokeMs) / 1000))).pipe(
    Stream.tap((event) => pause((charactersOf(event) / speed) * 1000)),
    Stream.mapConcat((event) => [heard(event)].flat())
  )
}
