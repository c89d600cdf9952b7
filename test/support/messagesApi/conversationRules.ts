/** What the parts of a request must be to each other. Each rule gives the words of the API for its first offence. */
import { blocksOf, isMarked, type WireBlock, type WireRequest } from "./wireRequest.ts"

export interface Turn {
  readonly role: "user" | "assistant"
  readonly content: ReadonlyArray<WireBlock>
}

/** The API takes neighbours of one role as one message. */
export const turnsOf = (request: WireRequest): ReadonlyArray<Turn> => {
  const turns: Array<{ readonly role: Turn["role"]; readonly content: Array<WireBlock> }> = []
  for (const { content, role } of request.messages) {
    const last = turns.at(-1)
    if (last?.role === role) last.content.push(...blocksOf(content))
    else turns.push({ role, content: [...blocksOf(content)] })
  }
  return turns
}

type Rule = (request: WireRequest, turns: ReadonlyArray<Turn>) => string | undefined

/** The first offence, or undefined for a request in order. */
export const offenceOf: Rule = (request, turns) => {
  for (const rule of rules) {
    const offence = rule(request, turns)
    if (offence !== undefined) return offence
  }
  return undefined
}

const allowed: Readonly<Record<Turn["role"], ReadonlyArray<WireBlock["type"]>>> = {
  user: ["text", "tool_result"],
  assistant: ["text", "tool_use", "thinking", "redacted_thinking"]
}

const mostMarkers = 4
const mostOutputTokens = 128_000

const rules: ReadonlyArray<Rule> = [
  ({ max_tokens, model }) =>
    max_tokens > mostOutputTokens
      ? `max_tokens: ${max_tokens} > ${mostOutputTokens}, which is the maximum allowed number of output tokens for ${model}`
      : undefined,
  ({ messages }) => (messages.length === 0 ? "messages: at least one message is required" : undefined),
  (_request, [first]) => (first?.role === "user" ? undefined : 'messages: first message must use the "user" role'),
  ({ tools = [] }) => {
    const names = tools.map((tool) => tool.name)
    return new Set(names).size < names.length ? "tools: Tool names must be unique." : undefined
  },
  (request) => {
    const found = markersOf(request)
    return found > mostMarkers
      ? `A maximum of ${mostMarkers} blocks with cache_control may be provided. Found ${found}.`
      : undefined
  },
  ({ system = [] }) =>
    typeof system !== "string" && system.some((block) => block.text === "")
      ? "system: text content blocks must be non-empty"
      : undefined,
  ({ messages }) => {
    const empty = messages.findIndex((message) => message.content.length === 0)
    return empty >= 0
      ? `messages.${empty}: all messages must have non-empty content except for the optional final assistant message`
      : undefined
  },
  ({ messages }) =>
    messages.some(({ content }) => blocksOf(content).some((block) => block.type === "text" && block.text.trim() === ""))
      ? "messages: text content blocks must contain non-whitespace text"
      : undefined,
  ({ messages }) =>
    firstIn(messages, (block, place) =>
      block.type === "tool_result" && block.is_error === true && (block.content ?? "").length === 0
        ? `${place}.tool_result: content cannot be empty if \`is_error\` is true`
        : undefined
    ),
  ({ messages }) =>
    firstIn(messages, (block, place, role) =>
      allowed[role].includes(block.type) ? undefined : `${place}: \`${block.type}\` blocks can't be in ${role} messages`
    ),
  (_request, turns) =>
    turns.map((turn, index) => callsAnswered(turn, turns[index + 1], index)).find((offence) => offence !== undefined),
  (_request, turns) =>
    turns.map((turn, index) => resultsAsked(turn, turns[index - 1], index)).find((offence) => offence !== undefined),
  (_request, turns) => {
    const index = turns.findIndex(
      (turn) => turn.role === "assistant" && turn.content.at(-1)?.type.endsWith("thinking") === true
    )
    return index >= 0 ? `messages.${index}: The final block in an assistant message cannot be \`thinking\`.` : undefined
  }
]

const firstIn = (
  messages: WireRequest["messages"],
  offence: (block: WireBlock, place: string, role: Turn["role"]) => string | undefined
): string | undefined => {
  for (const [index, message] of messages.entries()) {
    for (const [position, block] of blocksOf(message.content).entries()) {
      const found = offence(block, `messages.${index}.content.${position}`, message.role)
      if (found !== undefined) return found
    }
  }
  return undefined
}

const markersOf = (request: WireRequest): number => {
  const system = typeof request.system === "string" ? [] : (request.system ?? [])
  const content = request.messages.flatMap((message) => blocksOf(message.content))
  return [request, ...(request.tools ?? []), ...system, ...content].filter(isMarked).length
}

const callsOf = (turn: Turn | undefined): ReadonlyArray<string> =>
  (turn?.content ?? []).flatMap((block) => (block.type === "tool_use" ? [block.id] : []))

/** The results that open a turn: the API wants them before everything else. */
const resultsOf = (turn: Turn | undefined): ReadonlyArray<string> => {
  const results: Array<string> = []
  for (const block of turn?.content ?? []) {
    if (block.type !== "tool_result") break
    results.push(block.tool_use_id)
  }
  return results
}

const callsAnswered = (turn: Turn, next: Turn | undefined, index: number): string | undefined => {
  const calls = callsOf(turn)
  if (new Set(calls).size < calls.length) return `messages.${index}: \`tool_use\` ids must be unique`
  const answered = resultsOf(next)
  const open = calls.filter((id) => !answered.includes(id))
  return open.length > 0
    ? `messages.${index}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ` +
        `${open.join(", ")}. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`
    : undefined
}

const resultsAsked = (turn: Turn, before: Turn | undefined, index: number): string | undefined => {
  const asked = callsOf(before)
  const results = turn.content.flatMap((block) => (block.type === "tool_result" ? [block.tool_use_id] : []))
  const stray = results.find((id) => !asked.includes(id))
  if (stray !== undefined) {
    return (
      `messages.${index}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${stray}. ` +
      `Each \`tool_result\` block must have a corresponding \`tool_use\` block in the previous message.`
    )
  }
  return new Set(results).size < results.length
    ? `messages.${index}: each tool_use must have a single result. Found multiple \`tool_result\` blocks.`
    : undefined
}
