/**
 * What was said and done in a task, and what people say to it.
 */
import { HttpApiBuilder } from "@effect/platform"
import { Effect, Either, Option } from "effect"
import { excerpt, fitInput } from "../../services/excerpts.ts"
import { type MessageId, type TaskId, Ids } from "../../services/Ids.ts"
import { type Message, PendingMessage } from "../../services/Message.ts"
import { TaskChange } from "../../services/TaskChange.ts"
import * as TaskCommands from "../../services/TaskCommands.ts"
import { TaskQueue } from "../../services/TaskQueue.ts"
import { TaskRepo, type ToolCall } from "../../services/TaskRepo.ts"
import { TaskRunner } from "../../services/TaskRunner.ts"
import { Transaction } from "../../services/Transaction.ts"
import { accept, closing } from "../answerQuestion.ts"
import { CurrentPrincipal } from "../api/Authentication.ts"
import { QuestionView } from "../api/ConversationApi.ts"
import { NewAnswer, NewMessage } from "../api/requests.ts"
import { Api } from "../Api.ts"
import { command } from "../idempotent.ts"
import { boundedPage, pageRequest } from "../pages.ts"
import { asProblem, notFound } from "../translate.ts"
import { makeEvents } from "./events.ts"
import { makeOwned } from "./ownedTask.ts"

/** Pages of what may be large are short, so that one request never loads much. */
const mostWholes = 50

const say = command({ body: NewMessage, answer: PendingMessage, status: 201 })
const answer = command({ body: NewAnswer, answer: QuestionView, status: 200 })

const summary = ({ bytes, output, ...call }: ToolCall) => ({
  ...call,
  ...fitInput(call.input),
  output: output === null ? null : { ...excerpt(output), bytes: bytes ?? Buffer.byteLength(output) }
})

const sizeOf = (message: Message) => JSON.stringify(message.content).length

const found = <A>(option: Option.Option<A>) => Either.fromOption(option, () => notFound)

export const layer = HttpApiBuilder.group(Api, "conversation", (handlers) =>
  Effect.gen(function* () {
    const repo = yield* TaskRepo
    const queue = yield* TaskQueue
    const runner = yield* TaskRunner
    const transaction = yield* Transaction
    const ids = yield* Ids
    const owned = yield* makeOwned
    const events = yield* makeEvents

    const pendingMessage = (id: TaskId, messageId: MessageId) =>
      Effect.flatMap(repo.pending(id), (pending) =>
        found(Option.fromNullable(pending.find((message) => message.id === messageId)))
      )

    return handlers
      .handle("messages", ({ path: { taskId }, urlParams }) =>
        Effect.gen(function* () {
          yield* owned(taskId)
          const page = yield* boundedPage(pageRequest(urlParams, mostWholes), sizeOf, (request) =>
            repo.messages(taskId, request)
          )
          return { ...page, pending: yield* repo.pending(taskId) }
        }).pipe(asProblem)
      )
      .handleRaw("say", ({ path: { taskId } }) =>
        say(
          ({ content, mode, interrupt = false }) =>
            Effect.gen(function* () {
              yield* owned(taskId)
              const messageId = yield* ids.message
              yield* repo.change(taskId, TaskCommands.say(messageId, mode, content))
              // Only once, also when the request is repeated: the next tool is not the one that was meant.
              if (interrupt && mode === "steer") yield* transaction.afterCommit(runner.interruptTool(taskId))
              return { value: yield* pendingMessage(taskId, messageId) }
            }),
          queue.wake
        ).pipe(asProblem)
      )
      .handle("withdraw", ({ path: { taskId, messageId } }) =>
        Effect.gen(function* () {
          yield* owned(taskId)
          yield* pendingMessage(taskId, messageId)
          yield* repo.change(taskId, () => Either.right([TaskChange.MessageWithdrawn({ messageId })]))
        }).pipe(transaction.run, asProblem)
      )
      .handle("toolCalls", ({ path: { taskId }, urlParams }) =>
        Effect.gen(function* () {
          yield* owned(taskId)
          const page = yield* repo.toolCalls(taskId, pageRequest(urlParams, mostWholes))
          return { ...page, items: page.items.map(summary) }
        }).pipe(asProblem)
      )
      .handle("toolCall", ({ path: { taskId, toolCallId } }) =>
        owned(taskId).pipe(Effect.zipRight(Effect.flatMap(repo.toolCall(taskId, toolCallId), found)), asProblem)
      )
      .handle("checkpoints", ({ path: { taskId }, urlParams }) =>
        owned(taskId).pipe(Effect.zipRight(repo.checkpoints(taskId, pageRequest(urlParams))), asProblem)
      )
      .handle("events", ({ path: { taskId }, urlParams }) =>
        owned(taskId).pipe(Effect.zipRight(events(taskId, urlParams)), asProblem)
      )
      .handle("questions", ({ urlParams: { status, ...params } }) =>
        Effect.flatMap(CurrentPrincipal, ({ user }) =>
          repo.questions({ owner: user.id, ...(status === undefined ? {} : { status }) }, pageRequest(params))
        )
      )
      .handleRaw("answer", ({ path: { questionId } }) =>
        answer(
          (given) =>
            Effect.gen(function* () {
              const { user } = yield* CurrentPrincipal
              const [question, accepted] = yield* accept(yield* repo.question(user.id, questionId), given)
              yield* repo.change(question.taskId, closing(question, accepted, yield* runner.running))
              return { value: yield* Effect.flatMap(repo.question(user.id, questionId), found) }
            }),
          queue.wake
        ).pipe(asProblem)
      )
  })
)
