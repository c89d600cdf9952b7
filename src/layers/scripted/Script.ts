/**
 * A conversation script: what a scripted model says, and when. The format is described in `docs/scripts.md`.
 *
 * Owns: the schema of a script, with every mistake told by its place.
 * Does not own: playing it (`playScript.ts`).
 */
import { ParseResult, Schema } from "effect"
import { StopReason } from "../../services/ClaudeClient.ts"
import { variablesOfTurn } from "./template.ts"

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

const Milliseconds = Schema.Int.pipe(Schema.between(0, 3_600_000))
const Characters = Schema.Int.pipe(Schema.between(0, 10_000_000))
const Tokens = Schema.Int.pipe(Schema.between(0, 100_000_000))

/** Compiled while the script is read, so that a mistake shows then. `m` is always on: results are lines. */
const Expression = Schema.transformOrFail(
  Schema.Struct({ regexp: Schema.NonEmptyString, flags: optional(Schema.String.pipe(Schema.pattern(/^[imsu]*$/))) }),
  Schema.instanceOf(RegExp),
  {
    strict: true,
    decode: ({ flags = "", regexp }, _options, ast) =>
      ParseResult.try({
        try: () => new RegExp(regexp, [...new Set(`m${flags}`)].join("")),
        catch: (error) => new ParseResult.Type(ast, regexp, error instanceof Error ? error.message : "not a regexp")
      }),
    encode: ({ flags, source }) => ParseResult.succeed({ regexp: source, flags })
  }
)

/** A string is looked for as it stands; a regexp's named groups become variables. */
export const Pattern = Schema.Union(Schema.NonEmptyString, Expression)
export type Pattern = typeof Pattern.Type

/** All that is given must hold. `user` is the newest text of the user, the rest is about one and the same tool result. */
export const Condition = Schema.Struct({
  user: optional(Pattern),
  tool: optional(Schema.String),
  toolResult: optional(Pattern),
  isError: optional(Schema.Boolean)
})
export interface Condition extends Schema.Schema.Type<typeof Condition> {}

const guards = { when: optional(Condition), unless: optional(Condition) }

const times = { times: optional(Schema.Union(Schema.Int.pipe(Schema.between(1, 1_000_000)), Schema.Literal("always"))) }
const after = { after: optional(Characters) }

/** What goes wrong instead of an answer, or in the middle of it: `after` so many characters. */
export const Fault = Schema.Union(
  Schema.Struct({
    fault: Schema.Literal("http"),
    status: Schema.Int.pipe(Schema.between(400, 599)),
    type: optional(Schema.String),
    code: optional(Schema.String),
    message: optional(Schema.String),
    retryAfterSeconds: optional(Schema.Number.pipe(Schema.between(0, 1_000_000))),
    ...times
  }),
  Schema.Struct({ fault: Schema.Literal("bad_gateway"), ...times }),
  Schema.Struct({ fault: Schema.Literal("reset"), ...times }),
  Schema.Struct({ fault: Schema.Literal("no_answer"), ...times }),
  Schema.Struct({ fault: Schema.Literal("cut"), ...after, ...times }),
  Schema.Struct({ fault: Schema.Literal("early_end"), ...after, ...times }),
  Schema.Struct({ fault: Schema.Literal("silence"), ...after, ...times }),
  Schema.Struct({ fault: Schema.Literal("malformed"), ...after, ...times }),
  Schema.Struct({
    fault: Schema.Literal("error_event"),
    type: optional(Schema.String),
    message: optional(Schema.String),
    ...after,
    ...times
  })
)
export type Fault = typeof Fault.Type

const ToolCall = Schema.Struct({
  name: Schema.NonEmptyString,
  input: optional(Schema.Record({ key: Schema.String, value: Schema.Unknown })),
  /** The input as the model's own text, for inputs that are not JSON. */
  rawInput: optional(Schema.String)
})

const answerFields = {
  thinking: optional(Schema.String),
  text: optional(Schema.String),
  tools: optional(Schema.Array(ToolCall)),
  stop: optional(StopReason),
  tokens: optional(
    Schema.Struct({
      input: optional(Tokens),
      output: optional(Tokens),
      cacheRead: optional(Tokens),
      cacheWrite: optional(Tokens)
    })
  ),
  delayMs: optional(Milliseconds),
  charactersPerSecond: optional(Schema.Number.pipe(Schema.between(1, 1_000_000))),
  faults: optional(Schema.Array(Fault))
}

const Jump = Schema.Struct({
  step: Schema.NonEmptyString,
  ...guards,
  times: optional(Schema.Int.pipe(Schema.positive()))
})
export interface Jump extends Schema.Schema.Type<typeof Jump> {}

const Step = Schema.Struct({
  name: optional(Schema.NonEmptyString),
  ...guards,
  ...answerFields,
  goto: optional(Schema.Union(Schema.NonEmptyString, Schema.NonEmptyArray(Jump)))
})
export interface Step extends Schema.Schema.Type<typeof Step> {}

/** An answer beside the thread: to a summary that is asked for, say. It does not move the scenario on. */
const Aside = Schema.Struct({ when: Condition, ...answerFields })
export interface Aside extends Schema.Schema.Type<typeof Aside> {}

const Scenario = Schema.Struct({
  name: Schema.NonEmptyString,
  /** What the task's prompt contains; the scenario without it is the one for all other prompts. */
  match: optional(Pattern),
  steps: Schema.NonEmptyArray(Step)
})
export interface Scenario extends Schema.Schema.Type<typeof Scenario> {}

interface Mistake {
  readonly path: ReadonlyArray<PropertyKey>
  readonly message: string
}

const repeated = (names: ReadonlyArray<string | undefined>) =>
  names.flatMap((name, index) => (name !== undefined && names.indexOf(name) < index ? [index] : []))

const groupsOf = (pattern: Pattern | undefined) =>
  pattern instanceof RegExp ? [...pattern.source.matchAll(/\(\?<(\w+)>/g)].map((group) => group[1] ?? "") : []

const takenNames = (conditions: ReadonlyArray<Condition | undefined>, path: ReadonlyArray<PropertyKey>) =>
  conditions
    .flatMap((condition) => [condition?.user, condition?.toolResult])
    .flatMap(groupsOf)
    .filter((name) => variablesOfTurn.includes(name))
    .map((name) => ({ path, message: `"${name}" already names a variable of every step` }))

const mistakesOf = (scenarios: ReadonlyArray<Scenario>, asides: ReadonlyArray<Aside> = []): ReadonlyArray<Mistake> => [
  ...repeated(scenarios.map((scenario) => scenario.name)).map((index) => ({
    path: ["scenarios", index, "name"],
    message: "another scenario has this name"
  })),
  ...scenarios
    .flatMap((scenario, index) => (scenario.match === undefined ? [index] : []))
    .slice(1)
    .map((index) => ({ path: ["scenarios", index], message: "only one scenario can do without `match`" })),
  ...scenarios.flatMap(({ match, steps }, scenario) => [
    ...takenNames(match === undefined ? [] : [{ user: match }], ["scenarios", scenario, "match"]),
    ...stepMistakes(steps, ["scenarios", scenario, "steps"])
  ]),
  ...asides.flatMap((aside, index) => takenNames([aside.when], ["asides", index, "when"]))
]

const stepMistakes = (steps: ReadonlyArray<Step>, path: ReadonlyArray<PropertyKey>): ReadonlyArray<Mistake> => [
  ...repeated(steps.map((step) => step.name)).map((index) => ({
    path: [...path, index, "name"],
    message: "another step of this scenario has this name"
  })),
  ...steps.flatMap((step, index) => {
    const jumps = typeof step.goto === "string" ? [{ step: step.goto }] : (step.goto ?? [])
    const conditions = [step, ...jumps].flatMap((at: Jump | Step) => [at.when, at.unless])
    return [
      ...jumps
        .filter((jump) => !steps.some((target) => target.name === jump.step))
        .map((jump) => ({
          path: [...path, index, "goto"],
          message: `no step of this scenario is named "${jump.step}"`
        })),
      ...takenNames(conditions, [...path, index]),
      ...(step.tools ?? []).flatMap((tool, position) =>
        tool.input !== undefined && tool.rawInput !== undefined
          ? [{ path: [...path, index, "tools", position], message: "give `input` or `rawInput`, not both" }]
          : []
      )
    ]
  })
]

export const Script = Schema.Struct({
  /** For editors; ignored. */
  $schema: optional(Schema.String),
  scenarios: Schema.NonEmptyArray(Scenario),
  asides: optional(Schema.Array(Aside))
}).pipe(Schema.filter(({ asides, scenarios }) => [...mistakesOf(scenarios, asides)]))
export interface Script extends Schema.Schema.Type<typeof Script> {}

/** A script as it stands in a file, or in a test. */
export type ScriptSource = typeof Script.Encoded

/** Unknown properties are mistakes, and all mistakes are told at once. */
export const decodeScript = Schema.decodeUnknown(Script, { errors: "all", onExcessProperty: "error" })
