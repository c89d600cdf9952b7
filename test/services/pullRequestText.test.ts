import { describe, expect, it } from "@effect/vitest"
import { UserId } from "../../src/services/Ids.ts"
import type { Diff } from "../../src/services/GitStore.ts"
import { begin } from "../../src/services/evolve.ts"
import { harmless, pullRequestBody, pullRequestTitle, renewedBody } from "../../src/services/pullRequestText.ts"
import { draftOf } from "../support/someTasks.ts"

const task = begin(draftOf(UserId.make(`user_${"0".repeat(26)}`)), "2026-01-31T12:00:00.000Z")

const file = (path: string): Diff["files"][number] => ({
  id: path,
  path,
  oldPath: null,
  status: "modified",
  binary: false,
  submodule: false,
  additions: 1,
  deletions: 2
})

const diff: Diff = { files: [file("a.txt")], additions: 1, deletions: 2, truncated: false }

/** What GitHub and Gitea act on. */
const powers = [
  /(?:^|[^\w`])@[a-z\d]/i,
  /#\d/,
  /\bGH-\d/i,
  /\/(?:issues|pull|pulls|discussions)\/\d/,
  /<[a-z/!]/i,
  /!\[/,
  /&#?\w+;/
]

describe("text of an agent at a forge", () => {
  // Each replacement was taken out once; its line then failed.
  it.each([
    ["a mention", "thanks @somebody and @acme/team"],
    ["a closing word", "Closes #1, fixes: acme/app#22, resolves GH-3"],
    ["a closing URL", "Closes https://github.com/acme/app/issues/1"],
    ["entities", "Closes &#35;1 &#64;acme &num;1 &commat;acme"],
    ["HTML", "<img src=x onerror=alert(1)><script>alert(1)</script><!-- hidden --><details>"],
    ["an image", "![tracker](https://evil.example/p.png)"],
    ["hidden characters between", "@\u200bacme #\u20601 \u202eesrever"],
    ["backslashes", "\\@acme \\#1"]
  ])("has no power: %s", (_, text) => {
    const shown = harmless(text)
    for (const power of powers) expect(shown).not.toMatch(power)
    expect(shown).not.toMatch(/[\u202a-\u202e\u2060-\u2069]/)
  })

  it("reads as it was written", () => {
    const text = "Mended `a - b`: 2 < 3 && x @ y # heading\n\n- [link](https://example.com/a)\n"
    expect(harmless(text)).toBe(text)
    expect(harmless("a@b.c").replaceAll("\u200b", "")).toBe("a@b.c")
  })

  it("stays below what a forge takes, whatever there is to say", () => {
    const files = Array.from({ length: 400 }, (_, index) => file(`${"x".repeat(200)}/${index}`))
    const body = pullRequestBody(task, "@".repeat(200_000), { ...diff, files }, "t".repeat(100_000))
    expect(body.length).toBeLessThan(65_536)
    expect(pullRequestTitle({ title: `A\u202e\n${"b".repeat(400)}` })).toBe(`A ${"b".repeat(198)}`)
  })

  it("tells of changed CI definitions first", () => {
    const body = pullRequestBody({ ...task, ciChanges: [".github/workflows/ci.yml"] }, "Words.", diff, null)
    expect(body.indexOf("`.github/workflows/ci.yml`")).toBeLessThan(body.indexOf("Words."))
  })

  it("lets no path out of its place", () => {
    const body = pullRequestBody(task, "", { ...diff, files: [file("a`|\n<b>@acme")] }, null)
    expect(body.split("\n").filter((line) => line.includes("acme"))).toHaveLength(1)
    for (const power of powers.slice(0, 1)) expect(body).not.toMatch(power)
  })

  it("renews its own part and nothing else", () => {
    const first = pullRequestBody(task, "One.", diff, "## Checklist")
    const edited = `Hello.\n\n${first}\n\nGoodbye.`
    const renewed = renewedBody(edited, task, "Two.", diff)
    expect(renewed).toBe(edited.replace("One.", "Two."))
    expect(renewedBody(renewed, task, "Two.", diff)).toBe(renewed)
    expect(renewedBody("Somebody took it out.", task, "Two.", diff)).toBe("Somebody took it out.")
  })
})
