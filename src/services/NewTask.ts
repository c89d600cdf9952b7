/**
 * What a user asks for when he hands over a task.
 *
 * Owns: the shape and the bounds of the request, here and as the template of a schedule.
 * Does not own: defaults, and rules that depend on the server's settings (`draftTask.ts`).
 */
import { Schema } from "effect"
import { HostName, mostHosts } from "./HostName.ts"
import { Approvals, Delivery, Limits, NetworkMode } from "./Task.ts"
import { GitRef, line, text, Time } from "./text.ts"

const optional = <A, I, R>(schema: Schema.Schema<A, I, R>) => Schema.optionalWith(schema, { exact: true })

export const Prompt = text(256 * 1024)
export const Title = line(200)
export const Tags = Schema.Array(line(64)).pipe(Schema.maxItems(50, { message: () => "must have at most 50 entries" }))
export const Priority = Schema.Int.pipe(Schema.between(-1000, 1000))
export const PartialLimits = Schema.Struct({
  maxTurns: optional(Limits.fields.maxTurns),
  maxCostUsd: optional(Limits.fields.maxCostUsd),
  maxDurationSeconds: optional(Limits.fields.maxDurationSeconds)
})

/** What one time and another have in common. */
const lasting = {
  repository: Schema.Struct({ url: Schema.String.pipe(Schema.maxLength(2048)), ref: optional(GitRef) }),
  prompt: Prompt,
  title: optional(Title),
  model: optional(line(128).pipe(Schema.pattern(/^[\w.:@/-]+$/, { message: () => "must be the name of a model" }))),
  delivery: optional(Delivery),
  limits: optional(PartialLimits),
  network: optional(
    Schema.Struct({
      mode: NetworkMode,
      hosts: optional(Schema.Array(HostName).pipe(Schema.maxItems(mostHosts)))
    })
  ),
  approvals: optional(Approvals),
  priority: optional(Priority),
  secrets: optional(
    Schema.Array(line(64)).pipe(Schema.maxItems(50, { message: () => "must have at most 50 entries" }))
  ),
  tags: optional(Tags)
}

export const NewTask = Schema.Struct({
  ...lasting,
  startAt: optional(Time),
  expiresAt: optional(Time)
}).annotations({ identifier: "NewTask" })
export interface NewTask extends Schema.Schema.Type<typeof NewTask> {}

/** What a task is made of again and again: everything but the moments, which belong to one time. */
export const TaskTemplate = Schema.Struct(lasting).annotations({ identifier: "TaskTemplate" })
export interface TaskTemplate extends Schema.Schema.Type<typeof TaskTemplate> {}
