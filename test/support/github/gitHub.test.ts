/** The GitHub of the tests itself: it answers as published, and tells on who does not ask as published. */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Exit, Scope } from "effect"
import { gitText } from "../gitRepository.ts"
import { type GitHub, gitHub } from "./gitHub.ts"

const call = (github: GitHub, method: string, path: string, token: string, body?: unknown) =>
  Effect.promise(async () => {
    const response = await fetch(`${github.apiUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "user-agent": "test" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    const text = await response.text()
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: text.startsWith("<") ? null : JSON.parse(text)
    }
  })

const scene = Effect.gen(function* () {
  const github = yield* gitHub()
  const token = github.state.addToken("ann")
  const { repository } = yield* github.create("acme/app", { files: { "a.txt": "a\n" }, permissions: { ann: "write" } })
  yield* gitText(repository.path, ["branch", "topic", "main"])
  return { github, repository, token }
})

describe("the GitHub of the tests", () => {
  it.scopedLive("answers every route as published", () =>
    Effect.gen(function* () {
      const { github, repository, token } = yield* scene
      const base = "/repos/acme/app"
      const tree = yield* gitText(repository.path, ["rev-parse", "main^{tree}"])
      const commit = yield* gitText(repository.path, [
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "commit-tree",
        "-p",
        "main",
        "-m",
        "x",
        tree
      ])
      yield* gitText(repository.path, ["update-ref", "refs/heads/topic", commit])
      const asked = { title: "T", body: "B", head: "topic", base: "main", draft: true }
      const made = yield* call(github, "POST", `${base}/pulls`, token, asked)
      expect(made).toMatchObject({ status: 201, json: { number: 1, draft: true, head: { sha: commit } } })
      const again = yield* call(github, "POST", `${base}/pulls`, token, asked)
      expect(again).toMatchObject({ status: 422 })
      expect(again.json.errors[0].message).toContain("already exists")
      repository.checks.push({ sha: commit, name: "test", status: "completed", conclusion: "success" })
      repository.statuses.push({ sha: commit, context: "ci", state: "pending" })
      repository.reviews.push({ pull: 1, author: "bob", state: "APPROVED" })
      const reads = [
        "/user",
        base,
        `${base}/pulls?head=acme:topic&state=all&per_page=10`,
        `${base}/pulls/1`,
        `${base}/pulls/1/reviews`,
        `${base}/commits/topic/check-runs`,
        `${base}/commits/topic/status`,
        `${base}/issues/1/comments`,
        `${base}/collaborators/ann/permission`
      ]
      for (const path of reads) expect((yield* call(github, "GET", path, token)).status, path).toBe(200)
      expect((yield* call(github, "PATCH", `${base}/pulls/1`, token, { body: "C" })).json.body).toBe("C")
      const comment = yield* call(github, "POST", `${base}/issues/1/comments`, token, { body: "hello" })
      expect(comment.status).toBe(201)
      const reaction = `${base}/issues/comments/${comment.json.id}/reactions`
      expect((yield* call(github, "POST", reaction, token, { content: "eyes" })).status).toBe(201)
      expect((yield* call(github, "POST", reaction, token, { content: "eyes" })).status).toBe(200)
      expect((yield* call(github, "GET", "/user", "nobody's")).status).toBe(401)
      repository.permissions.delete("ann")
      expect((yield* call(github, "GET", base, token)).status).toBe(404)
    })
  )

  it.scopedLive("breaks as GitHub does", () =>
    Effect.gen(function* () {
      const { github, token } = yield* scene
      const ask = call(github, "GET", "/user", token)
      github.fail("GET /user", { _tag: "RateLimit", resetsIn: 60 })
      expect(Object.fromEntries((yield* ask).headers)).toMatchObject({ "x-ratelimit-remaining": "0" })
      github.fail("GET /user", { _tag: "SecondaryLimit", retryAfter: 7 })
      expect((yield* ask).headers.get("retry-after")).toBe("7")
      github.fail("GET", { _tag: "Page", status: 503 })
      expect((yield* ask).text).toContain("<!DOCTYPE html>")
      github.fail("GET", { _tag: "LostAnswer" })
      expect((yield* ask).status).toBe(502)
      expect((yield* ask).status).toBe(200)
    })
  )

  it.live("tells on a request that is not as published", () =>
    Effect.gen(function* () {
      for (const [path, body] of [
        ["/repos/acme/app/pulls", { title: "T", head: "topic", base: "main", drafty: true }],
        ["/repos/acme/app/pulls", { title: 7, head: "topic", base: "main" }],
        ["/repos/acme/app/pullz", {}]
      ] as const) {
        const scope = yield* Scope.make()
        const { github, token } = yield* Scope.extend(scene, scope)
        yield* call(github, "POST", path, token, body)
        const end = yield* Effect.exit(Scope.close(scope, Exit.void))
        expect(Exit.isFailure(end) && Cause.pretty(end.cause)).toMatch(/not as published|no such route/)
      }
    })
  )
})
