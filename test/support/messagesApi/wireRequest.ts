/** The body of `POST /v1/messages`: its schema, and the first thing that is wrong with one in the API's words. */
import { Either, ParseResult, Schema } from "effect"

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })
const identifier = /^[a-zA-Z0-9_-]+$/

const CacheControl = Schema.NullOr(
  Schema.Struct({ type: Schema.Literal("ephemeral"), ttl: optional(Schema.Literal("5m", "1h")) })
)
const marker = { cache_control: optional(CacheControl) }

const TextBlock = Schema.Struct({
  type: Schema.Literal("text"),
  text: Schema.String,
  citations: optional(Schema.Null),
  ...marker
})

const Block = Schema.Union(
  TextBlock,
  Schema.Struct({
    type: Schema.Literal("tool_use"),
    id: Schema.String.pipe(Schema.pattern(identifier)),
    name: Schema.String.pipe(Schema.pattern(identifier), Schema.maxLength(128)),
    input: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
    caller: optional(Schema.Struct({ type: Schema.Literal("direct") })),
    ...marker
  }),
  Schema.Struct({
    type: Schema.Literal("tool_result"),
    tool_use_id: Schema.String.pipe(Schema.pattern(identifier)),
    content: optional(Schema.Union(Schema.String, Schema.Array(TextBlock))),
    is_error: optional(Schema.Boolean),
    ...marker
  }),
  Schema.Struct({ type: Schema.Literal("thinking"), thinking: Schema.String, signature: Schema.String }),
  Schema.Struct({ type: Schema.Literal("redacted_thinking"), data: Schema.String })
)
export type WireBlock = typeof Block.Type

const Message = Schema.Struct({
  role: Schema.Literal("user", "assistant"),
  content: Schema.Union(Schema.String, Schema.Array(Block))
})

const Tool = Schema.Struct({
  type: optional(Schema.Literal("custom")),
  name: Schema.String.pipe(Schema.pattern(identifier), Schema.maxLength(128)),
  description: optional(Schema.String),
  input_schema: Schema.Struct(
    { type: Schema.Literal("object") },
    Schema.Record({ key: Schema.String, value: Schema.Unknown })
  ),
  ...marker
})

/** Known to the API and of no consequence here. */
const ignored = optional(Schema.Unknown)

export const WireRequest = Schema.Struct({
  model: Schema.NonEmptyString,
  max_tokens: Schema.Int.pipe(Schema.greaterThanOrEqualTo(1)),
  messages: Schema.Array(Message).pipe(Schema.maxItems(100_000)),
  system: optional(Schema.Union(Schema.String, Schema.Array(TextBlock))),
  tools: optional(Schema.Array(Tool)),
  stream: optional(Schema.Boolean),
  cache_control: optional(CacheControl),
  container: ignored,
  diagnostics: ignored,
  inference_geo: ignored,
  metadata: ignored,
  output_config: ignored,
  service_tier: ignored,
  speed: ignored,
  stop_sequences: ignored,
  thinking: ignored,
  tool_choice: ignored
})
export interface WireRequest extends Schema.Schema.Type<typeof WireRequest> {}

const decode = Schema.decodeUnknownEither(WireRequest, { onExcessProperty: "error" })

/** Shape only; what the parts must be to each other is in `conversationRules.ts`. */
export const decodeRequest = (value: unknown): Either.Either<WireRequest, string> =>
  Either.mapLeft(decode(value), (error) => {
    // The deepest one tells most: a list of blocks that is wrong somewhere is also no string.
    const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error).toSorted((a, b) => b.path.length - a.path.length)
    const place = issue?.path.map(String).join(".") ?? ""
    switch (issue?._tag) {
      case "Unexpected":
        return `${place}: Extra inputs are not permitted`
      case "Missing":
        return `${place}: Field required`
      default:
        return `${place}: Input should be valid (${issue?.message ?? "unknown"})`
    }
  })

export const blocksOf = (content: string | ReadonlyArray<WireBlock>): ReadonlyArray<WireBlock> =>
  typeof content === "string" ? [{ type: "text", text: content }] : content

export const isMarked = (block: object): boolean =>
  "cache_control" in block && block.cache_control !== null && block.cache_control !== undefined
