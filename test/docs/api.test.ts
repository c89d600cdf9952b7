/** That docs/api.md shows the examples as they are, and leaves out nothing that a client may meet. */
import { readdirSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { Language, Parser } from "web-tree-sitter"
import { problemKinds } from "../../src/http/api/Problem.ts"
import { ClientFrame, ServerFrame } from "../../src/http/api/StreamFrames.ts"
import { closeCodes } from "../../src/http/stream/Connection.ts"
import { TaskEvent } from "../../src/services/TaskEvent.ts"
import { RunReason } from "../../src/services/TaskStatus.ts"
import { examples } from "./examples.ts"

const page = readFileSync(new URL("../../docs/api.md", import.meta.url), "utf8")
const openapi = JSON.parse(readFileSync(new URL("../../docs/openapi.json", import.meta.url), "utf8"))
const files = readdirSync(examples)
const source = (file: string) => readFileSync(join(examples, file), "utf8")

/** A link to an example, and the block below it. */
const block = /\(examples\/([\w.-]+)\):\n\n```(\w+)\n[^]*?^```$/gm

const grammars: Readonly<Record<string, string>> = { swift: "swift", kt: "kotlin" }
const grammarOf = (file: string) => grammars[file.split(".").at(-1) ?? ""]

const hasError = async (grammar: string, text: string) => {
  await Parser.init()
  const wasm = createRequire(import.meta.url).resolve(`tree-sitter-wasms/out/tree-sitter-${grammar}.wasm`)
  const parser = new Parser().setLanguage(await Language.load(wasm))
  return parser.parse(text)?.rootNode.hasError
}

/** Names in backticks. */
const named = new Set([...page.replace(/^```[^]*?^```$/gm, "").matchAll(/`([^`\n]+)`/g)].map(([, name]) => name))

/** The names of a union's members. */
const types = (union: { readonly members: ReadonlyArray<{ readonly fields: { readonly type: unknown } }> }) =>
  union.members.map(({ fields }) => String((fields.type as { readonly literals: ReadonlyArray<string> }).literals[0]))

describe("docs/api.md", () => {
  it("shows every example as it is (npx vitest run -u writes them)", async () => {
    expect([...page.matchAll(block)].map(([, file]) => file).toSorted()).toEqual(files.toSorted())
    const shown = page.replace(block, (_, file, language) => {
      return `(examples/${file}):\n\n\`\`\`${language}\n${source(file)}\`\`\``
    })
    await expect(shown).toMatchFileSnapshot("../../docs/api.md")
  })

  // Seen to fail with a brace taken out of each of them.
  it("has examples in Swift and Kotlin whose syntax is right", async () => {
    const native = files.flatMap((file) => grammarOf(file) ?? [])
    expect(native.toSorted()).toEqual(["kotlin", "kotlin", "swift", "swift"])
    for (const file of files) {
      const grammar = grammarOf(file)
      if (grammar === undefined) continue
      expect([file, await hasError(grammar, source(file))]).toEqual([file, false])
      expect([file, await hasError(grammar, source(file).replace(/\{\n/, "\n"))]).toEqual([file, true])
    }
  })

  it("names every code, event, frame, reason and way in which a stream ends", () => {
    const words = [...Object.keys(problemKinds), ...types(TaskEvent), ...types(ServerFrame), ...RunReason.literals]
    expect(words.length).toBeGreaterThan(80)
    expect(words.filter((word) => !named.has(word))).toEqual([])
    for (const type of types(ClientFrame)) expect(page).toContain(`{"type": "${type}"`)
    // 1011 is for a fault of the server, as everywhere.
    const codes = Object.values(closeCodes).filter((code) => code !== closeCodes.internalError)
    for (const code of codes) expect(page).toContain(`| ${code} | `)
  })

  it("gives every code the status that it has", () => {
    const rows = [...page.matchAll(/^\| (\d{3}(?:, \d{3})*) \| (`[^|]+`) \|/gm)].flatMap(
      ([, statuses = "", codes = ""]) =>
        [...codes.matchAll(/`(\w+)`/g)].map(([, code = ""]) => ({ code, statuses: statuses.split(", ").map(Number) }))
    )
    expect(rows.map(({ code }) => code).toSorted()).toEqual(Object.keys(problemKinds).toSorted())
    const kinds: Readonly<Record<string, { readonly status: number }>> = problemKinds
    expect(rows.filter(({ code, statuses }) => !statuses.includes(kinds[code]?.status ?? 0))).toEqual([])
  })

  it("names routes that there are", () => {
    const routes = Object.entries<Record<string, unknown>>(openapi.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path.replace("/api/v1", "")}`)
    )
    const called = [...named].flatMap(
      (name) =>
        /^([A-Z]+) (\/[^?]*|…[^?]*)/
          .exec(name ?? "")
          ?.slice(1, 3)
          .join(" ") ?? []
    )
    const unknown = called.filter((call) => {
      const [method = "", path = ""] = call.split(" ")
      return !routes.some((route) => route.startsWith(`${method} `) && route.endsWith(path.replace("…", "")))
    })
    expect(called.length).toBeGreaterThan(15)
    expect(unknown).toEqual([])
  })
})
