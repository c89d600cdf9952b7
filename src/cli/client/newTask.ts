/** The options of `errand run` as the request that they mean. */
import { Option } from "effect"
import type { NewTask } from "../../services/NewTask.ts"

/** What was not given is left to the server. */
export interface TaskOptions {
  readonly repository: string
  readonly prompt: string
  readonly ref: Option.Option<string>
  readonly title: Option.Option<string>
  readonly model: Option.Option<string>
  readonly delivery: Option.Option<NonNullable<NewTask["delivery"]>>
  readonly maxTurns: Option.Option<number>
  readonly maxCostUsd: Option.Option<number>
  readonly maxDurationSeconds: Option.Option<number>
  readonly network: Option.Option<NonNullable<NewTask["network"]>["mode"]>
  readonly hosts: ReadonlyArray<string>
  readonly approvals: Option.Option<NonNullable<NewTask["approvals"]>>
  readonly priority: Option.Option<number>
  readonly tags: ReadonlyArray<string>
  readonly secrets: ReadonlyArray<string>
}

/** A property that is there only when its value is. */
export const given = <const Key extends string, A>(key: Key, value: Option.Option<A>): { readonly [K in Key]?: A } =>
  Option.isSome(value) ? ({ [key]: value.value } as { readonly [K in Key]?: A }) : {}

const someOf = <A>(values: ReadonlyArray<A>): Option.Option<ReadonlyArray<A>> =>
  values.length > 0 ? Option.some(values) : Option.none()

const whole = <A extends object>(fields: A): Option.Option<A> =>
  Object.keys(fields).length > 0 ? Option.some(fields) : Option.none()

export const newTask = (options: TaskOptions): NewTask => ({
  repository: { url: options.repository, ...given("ref", options.ref) },
  prompt: options.prompt,
  ...given("title", options.title),
  ...given("model", options.model),
  ...given("delivery", options.delivery),
  ...given(
    "limits",
    whole({
      ...given("maxTurns", options.maxTurns),
      ...given("maxCostUsd", options.maxCostUsd),
      ...given("maxDurationSeconds", options.maxDurationSeconds)
    })
  ),
  ...given(
    "network",
    Option.map(options.network, (mode) => ({ mode, ...given("hosts", someOf(options.hosts)) }))
  ),
  ...given("approvals", options.approvals),
  ...given("priority", options.priority),
  ...given("tags", someOf(options.tags)),
  ...given("secrets", someOf(options.secrets))
})
