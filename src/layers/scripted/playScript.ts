/**
 * Which answer comes next.
 *
 * A pure function of the script and the conversation: the conversation is played again from its beginning, so a server
 * that was restarted goes on where it was. Tool call ids carry the place, for conversations whose beginning is gone.
 */
import { Option } from "effect"
import type { TurnMessage } from "../../services/ClaudeClient.ts"
import type { ContentBlock } from "../../services/Message.ts"
import { findPlace, type Place, showPlace } from "./place.ts"
import type { Aside, Condition, Jump, Pattern, Script, Step } from "./Script.ts"
import type { Variables } from "./template.ts"

/** The answer to give, with what its `{{names}}` stand for. */
export interface Play {
  readonly answer: Step | Aside
  readonly variables: Variables
  readonly place: Place
}

/** None when no scenario is for this prompt. */
export const playScript = (script: Script, messages: ReadonlyArray<TurnMessage>): Option.Option<Play> => {
  let seen: Seen = { text: "", results: [] }
  let position: Position | undefined
  let calls: ReadonlyMap<string, string> = new Map()
  let prompt = ""
  for (const message of messages) {
    if (message.role === "user") {
      seen = see(seen, message.content, calls)
      if (position === undefined) prompt = seen.text
      position = resume(script, findPlace(message), position)
      continue
    }
    position ??= begin(script, prompt)
    if (position === undefined) return Option.none()
    if (asideFor(script, seen) === undefined) position = advance(script, position, seen, findPlace(message))
    calls = new Map(message.content.flatMap((block) => (block.type === "tool_use" ? [[block.id, block.name]] : [])))
    seen = { text: "", results: [] }
  }
  position ??= begin(script, prompt)
  if (position === undefined) return Option.none()
  const aside = asideFor(script, seen)
  const next = aside === undefined ? advance(script, position, seen, undefined) : position
  const variables = {
    ...next.variables,
    ...aside?.groups,
    turn: String(next.place.turn),
    visit: String(next.place.visit),
    prompt,
    message: seen.text,
    place: showPlace(next.place)
  }
  return Option.some({ answer: aside?.aside ?? stepAt(script, next.place) ?? theEnd, variables, place: next.place })
}

const theEnd: Step = { text: "The script has no further step for this conversation.", stop: "end_turn" }

/** What the user's side said since the last answer. */
interface Seen {
  readonly text: string
  readonly results: ReadonlyArray<{
    readonly tool: string | undefined
    readonly text: string
    readonly isError: boolean
  }>
}

const see = (seen: Seen, content: ReadonlyArray<ContentBlock>, calls: ReadonlyMap<string, string>): Seen => ({
  text: [seen.text, ...content.flatMap((block) => (block.type === "text" ? [block.text] : []))]
    .filter((text) => text !== "")
    .join("\n"),
  results: [
    ...seen.results,
    ...content.flatMap((block) =>
      block.type === "tool_result"
        ? [{ tool: calls.get(block.tool_use_id), text: block.content, isError: block.is_error }]
        : []
    )
  ]
})

/** After the answer at `place` (step -1: before the first one). */
interface Position {
  readonly place: Place
  readonly visits: ReadonlyMap<number, number>
  readonly variables: Variables
}

const stepsOf = (script: Script, place: Place): ReadonlyArray<Step> => script.scenarios[place.scenario]?.steps ?? []

const stepAt = (script: Script, place: Place): Step | undefined => stepsOf(script, place)[place.step]

const begin = (script: Script, prompt: string): Position | undefined => {
  const own = script.scenarios.findIndex(({ match }) => match !== undefined && groupsIn(match, prompt) !== undefined)
  const scenario = own >= 0 ? own : script.scenarios.findIndex(({ match }) => match === undefined)
  const match = script.scenarios[scenario]?.match
  if (scenario < 0) return undefined
  const variables = match === undefined ? {} : (groupsIn(match, prompt) ?? {})
  return { place: { scenario, step: -1, visit: 0, turn: 0 }, visits: new Map(), variables }
}

/** A conversation that starts over with a summary says in it where it was. */
const resume = (script: Script, place: Place | undefined, position: Position | undefined): Position | undefined =>
  place === undefined || stepAt(script, place) === undefined
    ? position
    : { place, visits: new Map([[place.step, place.visit]]), variables: position?.variables ?? {} }

/** Moves on by one answer; `stated` is the place that the answer itself names, which counts if it exists. */
const advance = (script: Script, from: Position, seen: Seen, stated: Place | undefined): Position => {
  const { step, variables } = choose(stepsOf(script, from.place), from, seen)
  const place = stated !== undefined && stepAt(script, stated) !== undefined ? stated : undefined
  const visit = place?.visit ?? (from.visits.get(step) ?? 0) + 1
  const to = place ?? { scenario: from.place.scenario, step, visit, turn: from.place.turn + 1 }
  return { place: to, visits: new Map([...from.visits, [to.step, visit]]), variables }
}

/** The first step, from where the jump leads or else from the next one on, whose conditions hold. */
const choose = (steps: ReadonlyArray<Step>, from: Position, seen: Seen) => {
  const jump = jumpFrom(steps, from, seen)
  let variables = { ...from.variables, ...jump?.groups }
  for (let index = jump?.step ?? from.place.step + 1; index < steps.length; index++) {
    const groups = passes(steps[index] ?? {}, seen)
    if (groups === undefined) continue
    variables = { ...variables, ...groups }
    return { step: index, variables }
  }
  return { step: steps.length, variables }
}

const jumpFrom = (steps: ReadonlyArray<Step>, from: Position, seen: Seen) => {
  const goto = steps[from.place.step]?.goto
  if (goto === undefined) return undefined
  const played = from.visits.get(from.place.step) ?? 0
  const jumps: ReadonlyArray<Jump> = typeof goto === "string" ? [{ step: goto }] : goto
  for (const jump of jumps) {
    const groups = jump.times !== undefined && played > jump.times ? undefined : passes(jump, seen)
    if (groups !== undefined) return { step: steps.findIndex((step) => step.name === jump.step), groups }
  }
  return undefined
}

const asideFor = (script: Script, seen: Seen) => {
  for (const aside of script.asides ?? []) {
    const groups = holds(aside.when, seen)
    if (groups !== undefined) return { aside, groups }
  }
  return undefined
}

/** The named groups of all regexps that matched; undefined when something did not hold. */
const passes = (
  guard: { readonly when?: Condition; readonly unless?: Condition },
  seen: Seen
): Variables | undefined =>
  guard.unless !== undefined && holds(guard.unless, seen) !== undefined
    ? undefined
    : guard.when === undefined
      ? {}
      : holds(guard.when, seen)

const holds = (condition: Condition, seen: Seen): Variables | undefined => {
  const ofUser = condition.user === undefined ? {} : groupsIn(condition.user, seen.text)
  if (ofUser === undefined) return undefined
  const { isError, tool, toolResult } = condition
  if (tool === undefined && toolResult === undefined && isError === undefined) return ofUser
  for (const result of seen.results) {
    if (tool !== undefined && tool !== result.tool) continue
    if (isError !== undefined && isError !== result.isError) continue
    const groups = toolResult === undefined ? {} : groupsIn(toolResult, result.text)
    if (groups !== undefined) return { ...ofUser, ...groups }
  }
  return undefined
}

const groupsIn = (pattern: Pattern, text: string): Variables | undefined => {
  if (typeof pattern === "string") return text.includes(pattern) ? {} : undefined
  const found = pattern.exec(text)
  if (found === null) return undefined
  return Object.fromEntries(Object.entries(found.groups ?? {}).filter(([, value]) => value !== undefined))
}
