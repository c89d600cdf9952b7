/** A rewind as its users have it: over HTTP, in real sandboxes, with git over HTTP. */
import { Effect } from "effect"
import { expect, it } from "vitest"
import { describeWithEngine } from "../support/engine.ts"
import { gitText } from "../support/gitRepository.ts"
import { scriptedServer } from "../support/scriptedServer.ts"

const write = (path: string) => ({ name: "write_file", input: { path, content: `${path}\n` } }) as const

const scenarios = [
  {
    name: "main",
    steps: [
      { tools: [write("first.txt")] },
      { when: { user: "another way" }, tools: [write("other.txt")], goto: "look" },
      { tools: [write("second.txt")] },
      { name: "look", tools: [{ name: "run_command", input: { command: "ls" } }] },
      { text: "Done." }
    ]
  }
] as const

describeWithEngine("a rewind", () => {
  const server = scriptedServer(scenarios)

  it("goes on another way from a checkpoint, and the branch holds the new line alone", async () => {
    const { errand, git } = server()
    const { path, url } = await Effect.runPromise(git.create("words", { "README.md": "Words.\n" }))
    const remote = (...args: ReadonlyArray<string>) => Effect.runPromise(gitText(path, args))
    const { branch, id } = await errand.submit({ repository: { url }, prompt: "Write." })
    const before = await errand.final(id)
    expect(before).toMatchObject({ status: "completed" })
    expect(await remote("ls-tree", "--name-only", branch)).toBe("README.md\nfirst.txt\nsecond.txt")

    const { items } = (await errand.call("GET", `tasks/${id}/checkpoints`)).body
    const first = items.at(-1).commit
    const body = { checkpoint: first, message: "Please do it another way." }
    const answer = await errand.call("POST", `tasks/${id}/rewind`, body, { "idempotency-key": "once" })
    expect([answer.status, answer.body["status"], answer.body["headCommit"]]).toEqual([200, "queued", first])
    const again = await errand.call("POST", `tasks/${id}/rewind`, body, { "idempotency-key": "once" })
    expect(again.headers.get("idempotency-replayed")).toBe("true")

    const task = await errand.final(id)
    expect(task).toMatchObject({ status: "completed", branch, run: { number: 2 } })
    expect(await remote("ls-tree", "--name-only", branch)).toBe("README.md\nfirst.txt\nother.txt")
    expect(await remote("rev-parse", branch)).toBe(task["headCommit"])
    expect(await remote("rev-list", "--count", `main..${branch}`)).toBe("1")
    const listed = (await errand.call("GET", `tasks/${id}/tool-calls`)).body["items"].at(-1)
    expect(listed.output.head).toBe("README.md\nfirst.txt\nother.txt\n")
    const { files } = (await errand.call("GET", `tasks/${id}/diff`)).body
    expect(files.map((file: { path: string }) => file.path)).toEqual(["first.txt", "other.txt"])
    const events = await errand.events(id)
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
    expect(events.filter(({ event }) => event.type === "task.rewound")).toHaveLength(1)
  })
})
