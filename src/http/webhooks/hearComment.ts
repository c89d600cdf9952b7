/**
 * What a comment at GitHub sets going: a task on its repository, or a message to the task that opened the pull request.
 *
 * Owns: who may ask, and that each comment does it once.
 * Does not own: what a comment has to look like (`addressed.ts`), how the webhook came here (`route.ts`).
 */
import { Effect, FiberSet, Option, Schedule } from "effect"
import { Accounts, type User } from "../../services/Accounts.ts"
import { askedOf, commentMessage, issuePrompt } from "../../services/addressed.ts"
import { AppConfig } from "../../services/AppConfig.ts"
import { ClaudeClient } from "../../services/ClaudeClient.ts"
import { DiskSpace } from "../../services/DiskSpace.ts"
import { makeDrafts } from "../../services/draftTask.ts"
import { Forge } from "../../services/Forge.ts"
import { ForgeComments } from "../../services/ForgeComments.ts"
import { forgeOf } from "../../services/forges.ts"
import { Ids } from "../../services/Ids.ts"
import { say } from "../../services/TaskCommands.ts"
import { defaultTitle } from "../../services/taskNames.ts"
import { TaskQueue } from "../../services/TaskQueue.ts"
import { TaskRepo } from "../../services/TaskRepo.ts"
import { StorageFull, Transaction } from "../../services/Transaction.ts"
import type { HeardComment } from "./payloads.ts"

/** Those whom GitHub itself counts among the repository's own people. */
const insiders = ["OWNER", "MEMBER", "COLLABORATOR"]

/** The mark on a comment is a courtesy. */
const markRetries = Schedule.exponential("1 second").pipe(Schedule.intersect(Schedule.recurs(3)))

const ignored = (reason: string) => Effect.as(Effect.logInfo(`A comment is left alone: ${reason}.`), false)

export const makeHearComment = Effect.gen(function* () {
  const settings = yield* AppConfig
  const accounts = yield* Accounts
  const claude = yield* ClaudeClient
  const comments = yield* ForgeComments
  const disk = yield* DiskSpace
  const forge = yield* Forge
  const ids = yield* Ids
  const queue = yield* TaskQueue
  const repo = yield* TaskRepo
  const transaction = yield* Transaction
  const draftOf = yield* makeDrafts
  const marks = yield* FiberSet.make<void, never>()

  const tellTask = Effect.fnUntraced(function* (
    user: User,
    asked: string,
    login: string,
    pullRequest: NonNullable<HeardComment["pullRequest"]>
  ) {
    const tasks = yield* repo.withPullRequest(pullRequest.url)
    const own = tasks.findLast(({ owner }) => owner === user.id)
    if (own === undefined) return yield* ignored("no task of this user opened the pull request")
    const content = commentMessage(asked, login, pullRequest.place)
    yield* repo.change(own.id, say(yield* ids.message, "steer", content))
    return true
  })

  const beginTask = Effect.fnUntraced(function* (
    user: User,
    asked: string,
    login: string,
    { repository }: HeardComment,
    issue: NonNullable<HeardComment["issue"]>
  ) {
    if (!(yield* claude.configured)) return yield* ignored("no model is configured")
    if (yield* disk.low) return yield* new StorageFull()
    const { queuedTasks } = settings.perUser
    if ((yield* repo.queuedCount(user.id)) >= queuedTasks) return yield* ignored("too many tasks of its author wait")
    const { body, number, title, user: author } = issue
    const about = { number, title, author: author?.login ?? "somebody", body: body ?? "" }
    const draft = yield* draftOf(user.id, {
      repository: { url: repository.clone_url },
      title: defaultTitle(asked),
      prompt: issuePrompt(asked, login, repository.full_name, about),
      delivery: "pull_request"
    })
    yield* repo.create(draft)
    return true
  })

  /** Stores what the comment asks for, once; false when it asks for nothing here. */
  const act = Effect.fnUntraced(function* (heard: HeardComment, host: string, asked: string) {
    const { comment, issue, kind, pullRequest } = heard
    const { user: author } = comment
    if (author === null || author.type === "Bot") return yield* ignored("no person wrote it")
    if (!insiders.includes(comment.author_association)) return yield* ignored("a stranger to the repository wrote it")
    const identity = { host, login: author.login, subject: String(author.id) }
    const user = yield* accounts.arrive(identity, Option.none())
    if (Option.isNone(user)) return yield* ignored("its author is no user of this server")
    const store = Effect.gen(function* () {
      if (!(yield* comments.claim({ host, kind, id: comment.id }))) return false
      if (pullRequest !== null) return yield* tellTask(user.value, asked, author.login, pullRequest)
      return issue !== null && (yield* beginTask(user.value, asked, author.login, heard, issue))
    })
    // What came to nothing leaves no mark: delivered again, it may come to something.
    const acted = transaction.run(Effect.filterOrFail(store, (done) => done))
    if (!(yield* Effect.catchTag(acted, "NoSuchElementException", () => Effect.succeed(false)))) return false
    yield* queue.wake
    const key = { owner: user.value.id, url: heard.repository.clone_url }
    yield* forge.acknowledge(key, { id: comment.id, review: kind === "review" }).pipe(
      Effect.retry({ schedule: markRetries, while: ({ retryable }) => retryable }),
      Effect.catchAll((failure) => Effect.logInfo("A comment could not be marked as seen.", failure)),
      Effect.interruptible,
      FiberSet.run(marks)
    )
    return true
  })

  return (heard: HeardComment): Effect.Effect<void, StorageFull> => {
    const place = forgeOf(heard.repository.clone_url, settings)
    const asked = askedOf(settings.bot.name, heard.comment.body)
    if (Option.isNone(asked) || Option.isNone(place)) return Effect.void
    return act(heard, place.value.host, asked.value).pipe(
      Effect.catchTags({
        TaskRefused: ({ message }) => ignored(message),
        RepositoryUrlRefused: ({ message }) => ignored(message),
        TaskNotFound: () => ignored("its task is gone"),
        IllegalTransition: () => ignored("its task can't take it now")
      }),
      Effect.annotateLogs({ repository: heard.repository.full_name, comment: heard.comment.id }),
      Effect.asVoid
    )
  }
})
