/**
 * The frames of the WebSocket `/api/v1/stream`, as JSON text; a frame may hold one object or an array of them.
 *
 * Owns: their schemas, for both directions. New types may be added: who does not know one skips it.
 * Does not own: when they are sent (`http/stream`).
 */
import { Schema } from "effect"
import { User } from "../../services/Accounts.ts"
import { Timestamp } from "../../services/Task.ts"
import { AnyEvent } from "../../services/TaskEvent.ts"

const frame = <const Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({ type: Schema.Literal(type), ...fields }).annotations({ identifier: `Frame_${type}` })

/** `inbox`, or `task:` and the id of a task. */
const Stream = Schema.String.pipe(Schema.maxLength(64), Schema.annotations({ identifier: "StreamName" }))

const Seq = Schema.Int.pipe(Schema.between(0, Number.MAX_SAFE_INTEGER))

const StreamEvent = AnyEvent.annotations({ identifier: "StreamEvent" })

export const ClientFrame = Schema.Union(
  /** Must come within five seconds when the upgrade carried no `Authorization`. */
  frame("authenticate", { token: Schema.Redacted(Schema.String.pipe(Schema.maxLength(4096))) }),
  /** `after: 0` replays everything. A second subscription of a stream replaces the first. */
  frame("subscribe", {
    stream: Stream,
    after: Seq,
    epoch: Schema.optionalWith(Schema.String.pipe(Schema.maxLength(128)), { exact: true })
  }),
  frame("unsubscribe", { stream: Stream }),
  frame("ping", {}),
  /** Whether somebody looks at the client now. */
  frame("visibility", { visible: Schema.Boolean })
).annotations({ identifier: "ClientFrame" })
export type ClientFrame = typeof ClientFrame.Type

export const ServerFrame = Schema.Union(
  frame("hello", {
    protocol: Schema.Int,
    version: Schema.String,
    heartbeatSeconds: Schema.Int,
    limits: Schema.Struct({
      authenticateSeconds: Schema.Int,
      frameBytes: Schema.Int,
      subscriptions: Schema.Int
    })
  }),
  frame("authenticated", { user: User }),
  /** Everything up to `head` has been sent; live from here. */
  frame("subscribed", { stream: Stream, head: Seq, epoch: Schema.String }),
  /** Durable, in order, without gaps. */
  frame("event", { stream: Stream, seq: Seq, at: Timestamp, event: StreamEvent }),
  /** Droppable. `offset` counts the characters of `item` that were sent before. */
  frame("preview", { stream: Stream, item: Schema.String, offset: Schema.Int, text: Schema.String }),
  /** The subscription is over: fetch the snapshot and subscribe from its seq. */
  frame("reset", { stream: Stream, reason: Schema.Literal("epoch", "ahead", "slow"), head: Seq }),
  frame("pong", { heads: Schema.Record({ key: Schema.String, value: Seq }) }),
  frame("error", {
    stream: Schema.optionalWith(Stream, { exact: true }),
    code: Schema.String,
    message: Schema.String
  })
).annotations({ identifier: "ServerFrame" })
export type ServerFrame = typeof ServerFrame.Type
