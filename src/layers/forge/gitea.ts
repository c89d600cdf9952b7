/** Pull requests as Gitea and Forgejo have them: much as GitHub, but drafts, lists and verdicts. */
import { Effect, Option, Schema } from "effect"
import type { FoundPullRequest } from "../../services/Forge.ts"
import type { PullRequest } from "../../services/Task.ts"
import { type Dialect, foremost, ifVisible, verdict } from "./Dialect.ts"
import type { Call } from "./request.ts"

const Pull = Schema.Struct({
  number: Schema.Int,
  html_url: Schema.String,
  state: Schema.Literal("open", "closed"),
  title: Schema.String,
  merged: Schema.Boolean,
  body: Schema.NullOr(Schema.String),
  head: Schema.Struct({ ref: Schema.String, sha: Schema.String })
})

const Reviews = Schema.Array(
  Schema.Struct({
    state: Schema.String,
    dismissed: Schema.optionalWith(Schema.Boolean, { default: () => false }),
    user: Schema.NullOr(Schema.Struct({ login: Schema.String }))
  })
)

const CombinedStatus = Schema.Struct({ state: Schema.String, total_count: Schema.Int })

/** The title is what makes a draft. */
const draftPrefix = "WIP: "
const draftTitle = /^(?:wip:|\[wip\])/i

/** There is no filter by branch: the newest are looked through, so many at a time. */
const perPage = 50
const mostPages = 10

const found = (pull: typeof Pull.Type): FoundPullRequest => ({
  url: pull.html_url,
  number: pull.number,
  state: pull.merged ? "merged" : pull.state,
  draft: draftTitle.test(pull.title),
  body: pull.body ?? "",
  head: pull.head.sha
})

const checks = ({ state, total_count }: typeof CombinedStatus.Type): PullRequest["checks"] => {
  if (total_count === 0) return "none"
  if (state === "success" || state === "warning" || state === "skipped") return "passed"
  return state === "pending" || state === "" ? "pending" : "failed"
}

const verdicts: Readonly<Record<string, PullRequest["review"]>> = {
  APPROVED: "approved",
  REQUEST_CHANGES: "changes_requested"
}

export const gitea = (call: Call): Dialect => {
  const list = (state: "open" | "closed", page: number) =>
    call("GET /repos/{owner}/{repo}/pulls", { state, page, limit: perPage }, Schema.Array(Pull))

  const search = (state: "open" | "closed", branch: string, page = 1): ReturnType<Dialect["find"]> =>
    Effect.flatMap(list(state, page), (pulls) => {
      const match = foremost(pulls.filter(({ head }) => head.ref === branch).map(found))
      return match !== undefined || pulls.length < perPage || page === mostPages
        ? Effect.succeed(Option.fromNullable(match))
        : search(state, branch, page + 1)
    })

  return {
    find: (branch) =>
      Effect.flatMap(search("open", branch), (open) =>
        Option.isSome(open) ? Effect.succeed(open) : search("closed", branch)
      ),

    create: ({ base, body, branch, draft, title }) =>
      Effect.map(
        call(
          "POST /repos/{owner}/{repo}/pulls",
          { head: branch, base, title: draft ? `${draftPrefix}${title}` : title, body },
          Pull
        ),
        found
      ),

    defaultBranch: Effect.map(
      call("GET /repos/{owner}/{repo}", {}, Schema.Struct({ default_branch: Schema.String })),
      ({ default_branch }) => default_branch
    ),

    describe: (index, body) => Effect.asVoid(call("PATCH /repos/{owner}/{repo}/pulls/{index}", { index, body }, Pull)),

    look: (index) =>
      Effect.gen(function* () {
        const pull = yield* call("GET /repos/{owner}/{repo}/pulls/{index}", { index }, Pull)
        const [reviews, status] = yield* Effect.all(
          [
            call("GET /repos/{owner}/{repo}/pulls/{index}/reviews", { index, limit: perPage }, Reviews),
            ifVisible(call("GET /repos/{owner}/{repo}/commits/{ref}/status", { ref: pull.head.sha }, CombinedStatus), {
              state: "",
              total_count: 0
            })
          ],
          { concurrency: 2 }
        )
        const { body: _body, head: _head, ...rest } = found(pull)
        const given = reviews.map(({ dismissed, state, user }) => ({
          by: user?.login ?? "",
          says: dismissed ? "none" : verdicts[state]
        }))
        const review = verdict(given.flatMap(({ by, says }) => (says === undefined ? [] : [{ by, says }])))
        return { ...rest, checks: checks(status), review }
      }),

    react: ({ id }) =>
      Effect.asVoid(
        call("POST /repos/{owner}/{repo}/issues/comments/{id}/reactions", { id, content: "eyes" }, Schema.Unknown)
      )
  }
}
