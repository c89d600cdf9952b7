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

const ask = async (messages: Array<Anthropic.MessageParam>, received: Array<Written>): Promise<Anthropic.Message> => {
  let characters = 0
  const stream = client.messages.stream({
    model: "claude-sonnet-5-5",
    max_tokens: 32_000,
    system: "You are a software engineer who works in a shell.",
    tools,
    messages
  })
  stream.on("text", (delta) => {
    characters += delta.length
    received.push({ at: now(), characters })
  })
  return await stream.finalMessage()
}

interface Input {
  readonly command: string
  readonly path: string
  readonly content: string
}

const perform = async (shell: ContainerShell, { input: given, name }: Anthropic.ToolUseBlock): Promise<string> => {
  const input = given as Input
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
    const { content } = await ask(messages, received)
    const calls = content.filter((block) => block.type === "tool_use")
    if (calls.length === 0) return received
    messages.push({ role: "assistant", content })
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
