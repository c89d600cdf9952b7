/**
 * The plain loop: what a small agent costs without storage, stream or checkpoints. One process; for each task a
 * container, one shell kept open in it, and the raw stream of the model's SDK.
 */
import type Anthropic from "@anthropic-ai/sdk"
import { Anthropic as Client } from "@anthropic-ai/sdk"
import type { LoopNews, LoopOrder } from "./channel.ts"
import { now } from "./clock.ts"
import type { Written } from "./conversations.ts"
import { ContainerShell } from "./ContainerShell.ts"

const [label = "", image = ""] = process.argv.slice(2)
const client = new Client()

const tools: Array<Anthropic.Tool> = [
  {
    name: "run_command",
    description: "Runs a command and gives its output.",
    input_schema: { type: "object", properties: { command: { type: "string" } }, required: ["command"] }
  },
  {
    name: "write_file",
    description: "Writes a file, in place of what was there.",
    input_schema: {
      type: "object",
      properties: { path: { type: "string" }, content: { type: "string" } },
      required: ["path", "content"]
    }
  }
]

interface Call {
  readonly id: string
  readonly name: string
  json: string
}

interface Answer {
  readonly text: string
  readonly calls: ReadonlyArray<Call>
}

const ask = async (messages: Array<Anthropic.MessageParam>, received: Array<Written>): Promise<Answer> => {
  const stream = await client.messages.create({
    model: "claude-sonnet-5-5",
    max_tokens: 32_000,
    system: "You are a software engineer who works in a shell.",
    stream: true,
    tools,
    messages
  })
  let text = ""
  const calls: Array<Call> = []
  for await (const event of stream) {
    if (event.type === "content_block_start" && event.content_block.type === "tool_use") {
      calls.push({ id: event.content_block.id, name: event.content_block.name, json: "" })
    }
    if (event.type !== "content_block_delta") continue
    if (event.delta.type === "text_delta") {
      text += event.delta.text
      received.push({ at: now(), characters: text.length })
    }
    const call = calls.at(-1)
    if (event.delta.type === "input_json_delta" && call !== undefined) call.json += event.delta.partial_json
  }
  return { text, calls }
}

const perform = async (shell: ContainerShell, { json, name }: Call): Promise<string> => {
  const input: { readonly command: string; readonly path: string; readonly content: string } = JSON.parse(json)
  if (name === "run_command") return await shell.run(input.command)
  await shell.run(`cat > '${input.path}' <<'end-of-file'\n${input.content}end-of-file`)
  return `Wrote ${Buffer.byteLength(input.content)} bytes to ${input.path}.`
}

const open: Array<ContainerShell> = []

const doTask = async (prompt: string): Promise<ReadonlyArray<Written>> => {
  const shell = await ContainerShell.open(image, label)
  open.push(shell)
  const messages: Array<Anthropic.MessageParam> = [{ role: "user", content: prompt }]
  const received: Array<Written> = []
  for (;;) {
    received.length = 0
    const { calls, text } = await ask(messages, received)
    if (calls.length === 0) return received
    messages.push({
      role: "assistant",
      content: [
        { type: "text", text },
        ...calls.map(({ id, json, name }) => ({ type: "tool_use" as const, id, name, input: JSON.parse(json) }))
      ]
    })
    const results: Array<Anthropic.ToolResultBlockParam> = []
    for (const call of calls) {
      results.push({ type: "tool_result", tool_use_id: call.id, content: await perform(shell, call) })
    }
    messages.push({ role: "user", content: results })
  }
}

const carryOut = async (order: LoopOrder): Promise<LoopNews> => {
  if (order.type === "do") return { type: "done", received: await Promise.all(order.prompts.map(doTask)) }
  await Promise.all(open.splice(0).map((shell) => shell.close()))
  return { type: "closed" }
}

const tell = (news: LoopNews) => process.send?.(news)

process.on("message", (order: LoopOrder) => {
  carryOut(order).then(tell, (error: unknown) => tell({ type: "failed", message: String(error) }))
})
process.on("disconnect", () => process.exit(0))
tell({ type: "ready" })
