/**
 * `/api/v1/webhooks/github`: what GitHub tells, signed with a secret that both sides know. There is no such route as
 * long as there is no secret.
 *
 * Owns: that only GitHub is heard. An event that means nothing here is taken like any other.
 * Does not own: what the events mean (`payloads.ts`, `hearComment.ts`).
 */
// @effect-diagnostics asyncFunction:off
import { HttpApiBuilder, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Webhooks } from "@octokit/webhooks"
import { Effect, Option, Redacted } from "effect"
import { AppConfig } from "../../services/AppConfig.ts"
import { TaskRepo } from "../../services/TaskRepo.ts"
import { Problem } from "../api/Problem.ts"
import { PullRequestWatch } from "../PullRequestWatch.ts"
import { bodyBytes } from "../requestBody.ts"
import { asProblem } from "../translate.ts"
import { makeHearComment } from "./hearComment.ts"
import { hear, type HeardNews } from "./payloads.ts"

export const webhookPath = "/api/v1/webhooks/github"

const signatureRefused = Problem.of(
  "signature_refused",
  "X-Hub-Signature-256 does not fit the body and the secret of ERRAND_GITHUB_WEBHOOK_SECRET."
)

const malformed = Problem.of("malformed_request", "The body is not UTF-8.")

const shape = /^sha256=[0-9a-f]{64}$/

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const makeTellNews = Effect.gen(function* () {
  const repo = yield* TaskRepo
  const watch = yield* PullRequestWatch
  return ({ pullRequests }: HeardNews) =>
    Effect.forEach(
      pullRequests,
      (url) =>
        Effect.flatMap(
          repo.withPullRequest(url),
          Effect.forEach(({ id }) => watch.now(id), { discard: true })
        ),
      { discard: true }
    )
})

export const layer = HttpApiBuilder.Router.use((router) =>
  Effect.gen(function* () {
    const { bot } = yield* AppConfig
    if (Option.isNone(bot.webhookSecret)) return
    const webhooks = new Webhooks({ secret: Redacted.value(bot.webhookSecret.value) })
    const hearComment = yield* makeHearComment
    const tellNews = yield* makeTellNews

    const serve = Effect.gen(function* () {
      const { headers } = yield* HttpServerRequest.HttpServerRequest
      const { "x-github-event": event = "", "x-hub-signature-256": signature = "" } = headers
      // The signature is over the bytes: they are read as text only when it fits, and as nothing else.
      const bytes = yield* bodyBytes
      const text = yield* Effect.try({ try: () => decoder.decode(bytes), catch: () => malformed })
      // The library throws for an empty text, which says nothing in any case.
      const isSound = text !== "" && shape.test(signature)
      const isSigned = isSound && (yield* Effect.promise(() => webhooks.verify(text, signature)))
      if (!isSigned) return yield* signatureRefused
      const heard = hear(event, text)
      if (Option.isSome(heard)) {
        yield* Effect.uninterruptible(heard.value._tag === "Comment" ? hearComment(heard.value) : tellNews(heard.value))
      }
      return HttpServerResponse.empty({ status: 204 })
    }).pipe(asProblem)

    yield* router.post(webhookPath, serve)
  })
)
