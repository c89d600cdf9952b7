/**
 * What clients send about tasks.
 *
 * Owns: the schemas and bounds of request bodies. Unknown properties are refused when they are decoded.
 * Does not own: what a new task is asked for with (`services/NewTask.ts`).
 */
import { Schema } from "effect"
import { BudgetPeriod } from "../../services/Budgets.ts"
import { HostName } from "../../services/HostName.ts"
import { CommitId } from "../../services/Ids.ts"
import { PendingMode } from "../../services/Message.ts"
import { PartialLimits, Priority, Prompt, Tags, TaskTemplate, Title } from "../../services/NewTask.ts"
import { CatchUp, Overlap } from "../../services/Schedules.ts"
import { Decision } from "../../services/TaskEvent.ts"
import { SecretValue } from "../../services/Secrets.ts"
import { line, text } from "../../services/text.ts"

const optional = <A, I, R>(schema: Schema.Schema<A, I, R>) => Schema.optionalWith(schema, { exact: true })

export const TaskPatch = Schema.Struct({
  title: optional(Title),
  tags: optional(Tags),
  priority: optional(Priority),
  limits: optional(PartialLimits)
}).annotations({ identifier: "TaskPatch" })
export interface TaskPatch extends Schema.Schema.Type<typeof TaskPatch> {}

const Cron = line(200)
const TimeZone = line(64)
const CatchUpWindow = Schema.Int.pipe(Schema.between(60, 7 * 24 * 3600))

export const NewSchedule = Schema.Struct({
  /** Five fields: minute, hour, day of the month, month, day of the week. */
  cron: Cron,
  /** An IANA name; `UTC` by default. */
  timeZone: optional(TimeZone),
  task: TaskTemplate,
  title: optional(Title),
  overlap: optional(Overlap),
  catchUp: optional(CatchUp),
  catchUpWindowSeconds: optional(CatchUpWindow),
  enabled: optional(Schema.Boolean)
}).annotations({ identifier: "NewSchedule" })
export interface NewSchedule extends Schema.Schema.Type<typeof NewSchedule> {}

export const SchedulePatch = Schema.Struct({
  cron: optional(Cron),
  timeZone: optional(TimeZone),
  /** Replaces the whole template. */
  task: optional(TaskTemplate),
  title: optional(Title),
  overlap: optional(Overlap),
  catchUp: optional(CatchUp),
  catchUpWindowSeconds: optional(CatchUpWindow),
  enabled: optional(Schema.Boolean)
}).annotations({ identifier: "SchedulePatch" })

export const NewMessage = Schema.Struct({
  content: Prompt,
  mode: PendingMode,
  /** With `steer`: end the tool that runs now, so that the message is read at once. */
  interrupt: optional(Schema.Boolean)
}).annotations({ identifier: "NewMessage" })
export interface NewMessage extends Schema.Schema.Type<typeof NewMessage> {}

export const Rewind = Schema.Struct({
  checkpoint: CommitId.annotations({ message: () => "must be the full id of a commit" }),
  /** What the model is told when it goes on from there. */
  message: optional(Prompt)
}).annotations({ identifier: "Rewind" })
export interface Rewind extends Schema.Schema.Type<typeof Rewind> {}

export const NewAnswer = Schema.Struct({
  revision: Schema.Int,
  decision: Decision,
  choice: optional(line(1000)),
  text: optional(text(64 * 1024))
}).annotations({ identifier: "NewAnswer" })
export interface NewAnswer extends Schema.Schema.Type<typeof NewAnswer> {}

/** Printable, so that it can't break out of the line on which git reads it. */
const Token = Schema.String.pipe(
  Schema.maxLength(4096),
  Schema.pattern(/^[\x21-\x7e]+$/, { message: () => "must be one word of printable ASCII" })
)

const PrivateKey = Schema.String.pipe(
  Schema.maxLength(16_384),
  Schema.pattern(/^-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/=:,\s-]+-----END [A-Z ]*PRIVATE KEY-----\s*$/, {
    message: () => "must be a private key in PEM or OpenSSH form, without a passphrase"
  })
)

/** Written, used for clone and push, never shown again. */
export const NewCredential = Schema.Union(
  Schema.Struct({ kind: Schema.Literal("token"), value: Schema.Redacted(Token) }).annotations({
    identifier: "NewTokenCredential"
  }),
  Schema.Struct({ kind: Schema.Literal("ssh_key"), value: Schema.Redacted(PrivateKey) }).annotations({
    identifier: "NewSshKeyCredential"
  })
).annotations({ identifier: "NewCredential" })
export type NewCredential = typeof NewCredential.Type

/** Written, given to the hosts in tasks that name the secret, never shown again. */
export const NewSecret = Schema.Struct({
  value: Schema.Redacted(SecretValue),
  /** Those that get the value, on port 443. */
  hosts: Schema.Array(HostName).pipe(
    Schema.minItems(1, { message: () => "must have at least 1 entry" }),
    Schema.maxItems(20, { message: () => "must have at most 20 entries" })
  )
}).annotations({ identifier: "NewSecret" })
export interface NewSecret extends Schema.Schema.Type<typeof NewSecret> {}

const LimitUsd = Schema.Number.pipe(Schema.finite(), Schema.between(0, 1_000_000))

/** Limits of money that tasks share; what is null or left out has none. Days and months are those of UTC. */
export const NewBudgets = Schema.Struct({
  /** All tasks of the account, each day. */
  day: optional(Schema.NullOr(Schema.Struct({ limitUsd: LimitUsd }).annotations({ identifier: "NewDayBudget" }))),
  /** All tasks of the account, each month or in all. */
  user: optional(
    Schema.NullOr(
      Schema.Struct({
        limitUsd: LimitUsd,
        period: Schema.optionalWith(Schema.Literal("month", "total"), { exact: true, default: () => "month" as const })
      }).annotations({ identifier: "NewUserBudget" })
    )
  ),
  /** Tasks on one repository, named as they name it. */
  repositories: optional(
    Schema.Array(
      Schema.Struct({
        url: Schema.String.pipe(Schema.maxLength(2048)),
        limitUsd: LimitUsd,
        period: Schema.optionalWith(BudgetPeriod, { exact: true, default: () => "month" as const })
      }).annotations({ identifier: "NewRepositoryBudget" })
    ).pipe(Schema.maxItems(100, { message: () => "must have at most 100 entries" }))
  )
}).annotations({ identifier: "NewBudgets" })
export interface NewBudgets extends Schema.Schema.Type<typeof NewBudgets> {}

/** Commands that need no words: no body, or an empty object. */
export const NoBody = Schema.Record({ key: Schema.String, value: Schema.Unknown }).pipe(
  Schema.filter((body) => Object.keys(body).map((path) => ({ path: [path], message: "is not known here" })))
)
