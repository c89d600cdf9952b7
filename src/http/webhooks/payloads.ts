/**
 * What GitHub tells in its webhooks, as far as it matters here.
 */
import { Option, Schema } from "effect"

const Person = Schema.Struct({ id: Schema.Int, login: Schema.String, type: Schema.optional(Schema.String) })
const Repository = Schema.Struct({ full_name: Schema.String, clone_url: Schema.String, html_url: Schema.String })
const Comment = Schema.Struct({
  id: Schema.Int,
  body: Schema.String,
  author_association: Schema.String,
  user: Schema.NullOr(Person)
})

const IssueComment = Schema.Struct({
  action: Schema.Literal("created"),
  repository: Repository,
  comment: Comment,
  issue: Schema.Struct({
    number: Schema.Int,
    title: Schema.String,
    body: Schema.NullOr(Schema.String),
    user: Schema.NullOr(Schema.Struct({ login: Schema.String })),
    /** There when the issue is a pull request. */
    pull_request: Schema.optional(Schema.Struct({ html_url: Schema.NullOr(Schema.String) }))
  })
})

const ReviewComment = Schema.Struct({
  action: Schema.Literal("created"),
  repository: Repository,
  comment: Schema.Struct({
    ...Comment.fields,
    path: Schema.String,
    line: Schema.optional(Schema.NullOr(Schema.Int))
  }),
  pull_request: Schema.Struct({ html_url: Schema.String })
})

/** Of `pull_request` and `pull_request_review`, whatever happened. */
const AboutPullRequest = Schema.Struct({ pull_request: Schema.Struct({ html_url: Schema.String }) })

const checked = { pull_requests: Schema.Array(Schema.Struct({ number: Schema.Int })) }
const AboutChecks = Schema.Union(
  Schema.Struct({ repository: Repository, check_run: Schema.Struct(checked) }),
  Schema.Struct({ repository: Repository, check_suite: Schema.Struct(checked) })
)

/** Somebody said something on an issue, or on a pull request: then it is there with where in it. */
export interface HeardComment {
  readonly _tag: "Comment"
  readonly kind: "issue" | "review"
  readonly comment: typeof Comment.Type
  readonly repository: typeof Repository.Type
  readonly issue: (typeof IssueComment.Type)["issue"] | null
  readonly pullRequest: { readonly url: string; readonly place: string } | null
}

/** Something is new about these pull requests. */
export interface HeardNews {
  readonly _tag: "News"
  readonly pullRequests: ReadonlyArray<string>
}

const ofIssueComment = ({ comment, issue, repository }: typeof IssueComment.Type): HeardComment => {
  const url = issue.pull_request?.html_url
  const pullRequest = url === undefined || url === null ? null : { url, place: "" }
  return { _tag: "Comment", kind: "issue", comment, repository, issue, pullRequest }
}

const ofReviewComment = ({ comment, pull_request, repository }: typeof ReviewComment.Type): HeardComment => {
  const place = `, at ${comment.path}${typeof comment.line === "number" ? ` line ${comment.line}` : ""}`
  const pullRequest = { url: pull_request.html_url, place }
  return { _tag: "Comment", kind: "review", comment, repository, issue: null, pullRequest }
}

const ofChecks = (payload: typeof AboutChecks.Type): HeardNews => {
  const { pull_requests } = "check_run" in payload ? payload.check_run : payload.check_suite
  const pullRequests = pull_requests.map(({ number }) => `${payload.repository.html_url}/pull/${number}`)
  return { _tag: "News", pullRequests }
}

type Reading = (text: string) => Option.Option<HeardComment | HeardNews>

const reading = <A, I>(schema: Schema.Schema<A, I>, meaning: (payload: A) => HeardComment | HeardNews): Reading => {
  const decode = Schema.decodeOption(Schema.parseJson(schema))
  return (text) => Option.map(decode(text), meaning)
}

const pullRequestNews = reading(AboutPullRequest, ({ pull_request }) => ({
  _tag: "News",
  pullRequests: [pull_request.html_url]
}))
const checkNews = reading(AboutChecks, ofChecks)

const readings = new Map<string, Reading>([
  ["issue_comment", reading(IssueComment, ofIssueComment)],
  ["pull_request_review_comment", reading(ReviewComment, ofReviewComment)],
  ["pull_request", pullRequestNews],
  ["pull_request_review", pullRequestNews],
  ["check_run", checkNews],
  ["check_suite", checkNews]
])

/** None for an event that nobody here listens to, and for an action other than those above. */
export const hear = (event: string, text: string): Option.Option<HeardComment | HeardNews> =>
  Option.flatMap(Option.fromNullable(readings.get(event)), (read) => read(text))
