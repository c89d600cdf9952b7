/** Pull requests as GitHub has them, on github.com and on Enterprise servers. */
import { Effect, Option, Schema } from "effect"
import type { FoundPullRequest } from "../../services/Forge.ts"
import type { ForgePlace } from "../../services/forges.ts"
import type { PullRequest } from "../../services/Task.ts"
import { type Dialect, foremost, ifVisible, together, verdict } from "./Dialect.ts"
import type { Call } from "./request.ts"

const Pull = Schema.Struct({
  number: Schema.Int,
  html_url: Schema.String,
  state: Schema.Literal("open", "closed"),
  draft: Schema.optionalWith(Schema.Boolean, { default: () => false }),
  merged_at: Schema.NullOr(Schema.String),
  body: Schema.NullOr(Schema.String),
  head: Schema.Struct({ sha: Schema.String })
})

const Reviews = Schema.Array(
  Schema.Struct({ state: Schema.String, user: Schema.NullOr(Schema.Struct({ login: Schema.String })) })
)

const CheckRuns = Schema.Struct({
  check_runs: Schema.Array(Schema.Struct({ status: Schema.String, conclusion: Schema.NullOr(Schema.String) }))
})

const CombinedStatus = Schema.Struct({ state: Schema.String, total_count: Schema.Int })

const found = (pull: typeof Pull.Type): FoundPullRequest => ({
  url: pull.html_url,
  number: pull.number,
  state: pull.merged_at === null ? pull.state : "merged",
  draft: pull.draft,
  body: pull.body ?? "",
  head: pull.head.sha
})

const harmlessEnds = ["success", "neutral", "skipped", "stale"]

const ofRun = ({ conclusion, status }: (typeof CheckRuns.Type)["check_runs"][number]): PullRequest["checks"] =>
  status !== "completed" ? "pending" : harmlessEnds.includes(conclusion ?? "") ? "passed" : "failed"

const ofStatus = ({ state, total_count }: typeof CombinedStatus.Type): PullRequest["checks"] =>
  total_count === 0 ? "none" : state === "success" ? "passed" : state === "pending" ? "pending" : "failed"

const verdicts: Readonly<Record<string, PullRequest["review"]>> = {
  APPROVED: "approved",
  CHANGES_REQUESTED: "changes_requested",
  DISMISSED: "none"
}

export const gitHub = (call: Call, { repository }: ForgePlace): Dialect => ({
  find: (branch) =>
    Effect.map(
      call(
        "GET /repos/{owner}/{repo}/pulls",
        { head: `${repository.owner}:${branch}`, state: "all", sort: "created", direction: "desc", per_page: 20 },
        Schema.Array(Pull)
      ),
      (pulls) => Option.fromNullable(foremost(pulls.map(found)))
    ),

  create: ({ base, body, branch, draft, title }) =>
    Effect.map(call("POST /repos/{owner}/{repo}/pulls", { head: branch, base, title, body, draft }, Pull), found),

  defaultBranch: Effect.map(
    call("GET /repos/{owner}/{repo}", {}, Schema.Struct({ default_branch: Schema.String })),
    ({ default_branch }) => default_branch
  ),

  describe: (pull_number, body) =>
    Effect.asVoid(call("PATCH /repos/{owner}/{repo}/pulls/{pull_number}", { pull_number, body }, Pull)),

  look: (pull_number) =>
    Effect.gen(function* () {
      const pull = yield* call("GET /repos/{owner}/{repo}/pulls/{pull_number}", { pull_number }, Pull)
      const of = { ref: pull.head.sha }
      const [reviews, { check_runs }, status] = yield* Effect.all(
        [
          call("GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews", { pull_number, per_page: 100 }, Reviews),
          ifVisible(call("GET /repos/{owner}/{repo}/commits/{ref}/check-runs", { ...of, per_page: 100 }, CheckRuns), {
            check_runs: []
          }),
          ifVisible(call("GET /repos/{owner}/{repo}/commits/{ref}/status", of, CombinedStatus), {
            state: "pending",
            total_count: 0
          })
        ],
        { concurrency: 3 }
      )
      const { body: _body, head: _head, ...rest } = found(pull)
      return {
        ...rest,
        checks: together([...check_runs.map(ofRun), ofStatus(status)]),
        review: verdict(
          reviews.flatMap(({ state, user }) => {
            const says = verdicts[state]
            return says === undefined ? [] : [{ by: user?.login ?? "", says }]
          })
        )
      }
    }),

  react: ({ id, review }) =>
    Effect.asVoid(
      call(
        `POST /repos/{owner}/{repo}/${review ? "pulls" : "issues"}/comments/{comment_id}/reactions`,
        { comment_id: id, content: "eyes" },
        Schema.Unknown
      )
    )
})
