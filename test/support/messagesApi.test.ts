import Anthropic from "@anthropic-ai/sdk"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { build } from "esbuild"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import type { ScriptSource } from "../../src/layers/scripted/Script.ts"
import { messagesApi } from "./messagesApi.ts"

const script: ScriptSource = {
  scenarios: [
    { name: "paused", match: "pause", steps: [{ text: "So far", stop: "pause_turn" }, { text: "and so on" }] },
    { name: "thought", match: "think", steps: [{ thinking: "Hm.", tools: [{ name: "t" }] }, { text: "Done." }] },
    { name: "all", steps: [{ text: "Hello." }] }
  ]
}

const base = { model: "m", max_tokens: 100, messages: [{ role: "user", content: "Hi" }] }
const headers = { authorization: "Bearer k", "anthropic-version": "2026-10-21", "content-type": "application/json" }

const use = { type: "tool_use", id: "a", name: "t", input: {} }
const result = { type: "tool_result", tool_use_id: "a", content: "fine" }
const text = (words: string) => ({ type: "text", text: words })
const marked = { ...text("x"), cache_control: { type: "ephemeral" } }
const says = (role: string, ...content: ReadonlyArray<unknown>) => ({ role, content })
const tool = { name: "t", input_schema: { type: "object" } }

/** Status and message of the answer to a body. */
const post = (url: string, body: unknown, own: Record<string, string> = headers) =>
  Effect.promise(async () => {
    const response = await fetch(`${url}/v1/messages`, {
      method: "POST",
      headers: own,
      body: typeof body === "string" ? body : JSON.stringify(body)
    })
    const json = (await response.json()) as { error?: { type: string; message: string }; request_id?: string }
    return { status: response.status, requestId: response.headers.get("request-id"), ...json }
  })

describe("The Messages API of the tests", () => {
  const refused: ReadonlyArray<readonly [string, unknown, string]> = [
    ["what is not JSON", "{", "not valid JSON"],
    ["half characters", '{"model": "\\ud800"}', "no low surrogate"],
    ["a missing parameter", { model: "m", max_tokens: 1 }, "messages: Field required"],
    ["an unknown parameter", { ...base, temperature: 1 }, "temperature: Extra inputs are not permitted"],
    ["an unknown property of a block", { ...base, messages: [says("user", { ...text("x"), y: 1 })] }, "Extra inputs"],
    ["no tokens to write", { ...base, max_tokens: 0 }, "max_tokens"],
    ["too many tokens to write", { ...base, max_tokens: 1_000_000 }, "maximum allowed number of output tokens"],
    ["no messages", { ...base, messages: [] }, "at least one message is required"],
    ["an unknown role", { ...base, messages: [says("robot", text("x"))] }, "messages.0.role"],
    [
      "an assistant who begins",
      { ...base, messages: [says("assistant", text("x")), says("user", text("y"))] },
      '"user" role'
    ],
    ["an empty message", { ...base, messages: [says("user")] }, "non-empty content"],
    ["an empty text", { ...base, messages: [says("user", text(" "))] }, "non-whitespace"],
    ["an empty system text", { ...base, system: [text("")] }, "system: text content blocks must be non-empty"],
    [
      "a beginning put into the model's mouth",
      { ...base, messages: [...base.messages, says("assistant", text("x"))] },
      "prefill"
    ],
    [
      "a tool call without an answer",
      { ...base, messages: [...base.messages, says("assistant", use), says("user", text("x"))] },
      "without `tool_result` blocks immediately after: a"
    ],
    [
      "an answer that does not come first",
      { ...base, messages: [...base.messages, says("assistant", use), says("user", text("x"), result)] },
      "without `tool_result` blocks immediately after: a"
    ],
    ["an answer to nothing", { ...base, messages: [says("user", result)] }, "unexpected `tool_use_id`"],
    [
      "two answers to one call",
      { ...base, messages: [...base.messages, says("assistant", use), says("user", result, result)] },
      "single result"
    ],
    [
      "two calls of one id",
      { ...base, messages: [...base.messages, says("assistant", use, use), says("user", result)] },
      "ids must be unique"
    ],
    [
      "an error without words",
      {
        ...base,
        messages: [...base.messages, says("assistant", use), says("user", { ...result, content: "", is_error: true })]
      },
      "cannot be empty if `is_error` is true"
    ],
    [
      "an input that is no object",
      { ...base, messages: [...base.messages, says("assistant", { ...use, input: [] })] },
      "input"
    ],
    ["a tool call by the user", { ...base, messages: [says("user", use)] }, "can't be in user messages"],
    ["a bad tool name", { ...base, tools: [{ ...tool, name: "no spaces" }] }, "tools.0.name"],
    ["two tools of one name", { ...base, tools: [tool, tool] }, "Tool names must be unique"],
    [
      "a schema that is no object's",
      { ...base, tools: [{ name: "t", input_schema: { type: "string" } }] },
      "input_schema.type"
    ],
    ["five markers", { ...base, messages: [says("user", marked, marked, marked, marked, marked)] }, "Found 5"],
    [
      "a forged thought",
      {
        ...base,
        messages: [
          ...base.messages,
          says("assistant", { type: "thinking", thinking: "x", signature: "y" }, use),
          says("user", result)
        ]
      },
      "Invalid `signature`"
    ],
    [
      "a marker on a thought",
      { ...base, messages: [says("user", { type: "thinking", thinking: "x", signature: "y", cache_control: null })] },
      "Extra inputs"
    ]
  ]
  for (const [what, body, told] of refused) {
    it.scopedLive(`refuses ${what}`, () =>
      Effect.gen(function* () {
        const { url } = yield* messagesApi({ script })
        const { error, requestId, request_id, status } = yield* post(url, body)
        assert.strictEqual(status, 400)
        assert.strictEqual(error?.type, "invalid_request_error")
        assert.include(error?.message, told)
        assert.strictEqual(request_id, requestId)
      })
    )
  }

  it.scopedLive("wants to know who asks, and in which version", () =>
    Effect.gen(function* () {
      const { url } = yield* messagesApi({ script, apiKey: "k" })
      const { authorization: _, ...nobody } = headers
      assert.strictEqual((yield* post(url, base, nobody)).status, 401)
      assert.strictEqual((yield* post(url, base, { ...headers, authorization: "Bearer x" })).status, 401)
      assert.strictEqual((yield* post(url, base, { ...nobody, "x-api-key": "k" })).status, 200)
      const { "anthropic-version": __, ...unversioned } = headers
      assert.include((yield* post(url, base, unversioned)).error?.message, "anthropic-version")
      const elsewhere = yield* Effect.promise(() => fetch(`${url}/v1/other`, { headers }))
      assert.strictEqual(elsewhere.status, 404)
    })
  )

  it.scopedLive("is understood by the SDK's own accumulator", () =>
    Effect.gen(function* () {
      const { requests, url } = yield* messagesApi({ script })
      const client = new Anthropic({ apiKey: "k", baseURL: url, maxRetries: 0 })
      const message = yield* Effect.promise(() =>
        client.messages
          .stream({ model: "m", max_tokens: 100, messages: [{ role: "user", content: "think" }] })
          .finalMessage()
      )
      assert.deepStrictEqual(
        message.content.map((block) => block.type),
        ["thinking", "tool_use"]
      )
      assert.strictEqual(message.stop_reason, "tool_use")
      assert.strictEqual(message.usage.output_tokens, requests[0]?.usage.outputTokens)
      assert.strictEqual(requests[0]?.outcome, "answered")
      assert.strictEqual(requests[0]?.prompt, "think")
    })
  )

  it.scopedLive("takes a thought back after the very messages that it followed, and nowhere else", () =>
    Effect.gen(function* () {
      const { url } = yield* messagesApi({ script })
      const client = new Anthropic({ apiKey: "k", baseURL: url, maxRetries: 0 })
      const ask = (prompt: string, ...rest: Array<Anthropic.MessageParam>) =>
        client.messages.create({ model: "m", max_tokens: 100, messages: [{ role: "user", content: prompt }, ...rest] })
      const first = yield* Effect.promise(() => ask("think"))
      const call = first.content.find((block) => block.type === "tool_use")
      const rest: Array<Anthropic.MessageParam> = [
        { role: "assistant", content: first.content },
        { role: "user", content: [{ type: "tool_result", tool_use_id: call?.id ?? "", content: "fine" }] }
      ]
      assert.strictEqual((yield* Effect.promise(() => ask("think", ...rest))).stop_reason, "end_turn")
      const moved = yield* Effect.flip(Effect.tryPromise({ try: () => ask("think!", ...rest), catch: String }))
      assert.include(moved, "Invalid `signature`")
    })
  )

  it.scopedLive("goes on with an answer that it paused", () =>
    Effect.gen(function* () {
      const { url } = yield* messagesApi({ script })
      const client = new Anthropic({ apiKey: "k", baseURL: url, maxRetries: 0 })
      const params = { model: "m", max_tokens: 100, messages: [{ role: "user" as const, content: "pause" }] }
      const first = yield* Effect.promise(() => client.messages.create(params))
      assert.strictEqual(first.stop_reason, "pause_turn")
      const messages = [...params.messages, { role: "assistant" as const, content: first.content }]
      const second = yield* Effect.promise(() => client.messages.create({ ...params, messages }))
      assert.deepStrictEqual(
        second.content.map((block) => (block.type === "text" ? block.text : "")),
        ["and so on"]
      )
    })
  )

  it.scopedLive("runs as a process of its own", () =>
    Effect.promise(async () => {
      const directory = await mkdtemp(join(tmpdir(), "messages-api-"))
      const file = join(directory, "server.mjs")
      await build({
        stdin: {
          contents: `import { main } from "./messagesApi.ts"\nawait main(process.argv.slice(2))`,
          resolveDir: fileURLToPath(new URL(".", import.meta.url))
        },
        bundle: true,
        platform: "node",
        format: "esm",
        outfile: file,
        banner: { js: `import { createRequire } from "node:module"; const require = createRequire(import.meta.url)` },
        logLevel: "error"
      })
      await writeFile(join(directory, "script.json"), JSON.stringify(script))
      const server = spawn(process.execPath, [file, "--script", join(directory, "script.json"), "--forget-bodies"], {
        stdio: ["ignore", "pipe", "inherit"]
      })
      try {
        const [line] = await once(createInterface(server.stdout), "line")
        const { url } = JSON.parse(String(line)) as { url: string }
        const answered = await fetch(`${url}/v1/messages`, { method: "POST", headers, body: JSON.stringify(base) })
        assert.strictEqual(answered.status, 200)
        const records = (await (await fetch(`${url}/control/requests`)).json()) as ReadonlyArray<{ prompt: string }>
        assert.deepStrictEqual(
          records.map((record) => record.prompt),
          ["Hi"]
        )
        await fetch(`${url}/control/requests`, { method: "DELETE" })
        assert.deepStrictEqual(await (await fetch(`${url}/control/requests`)).json(), [])
      } finally {
        server.kill()
        await once(server, "exit")
        await rm(directory, { recursive: true })
      }
    })
  )
})
