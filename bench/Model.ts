/** The model as a round sees it: one phase of conversations after the other. */
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { type ModelNews, type ModelOrder, nextMessage } from "./channel.ts"
import { owned } from "./cleanup.ts"
import type { Conversation } from "./conversations.ts"
import { settings } from "./settings.ts"

export interface Model {
  readonly url: string
  readonly pid: number
  /** Say it before the conversations begin: their first request, and their last answer, are waited for. */
  readonly expect: (order: ModelOrder) => {
    readonly begun: Promise<unknown>
    readonly ended: Promise<unknown>
    readonly report: Promise<ReadonlyArray<Conversation>>
  }
}

const program = fileURLToPath(new URL("modelProcess.mjs", import.meta.url))

export const startModel = async (): Promise<Model> => {
  const child = owned(fork(program, [String(settings.steps), String(settings.crowdSteps)]))
  const { url } = await nextMessage<ModelNews, "listening">(child, "listening", settings.phaseMs)
  return {
    url,
    pid: child.pid ?? 0,
    expect: (order) => {
      child.send(order)
      return {
        begun: nextMessage<ModelNews, "begun">(child, "begun", settings.phaseMs),
        ended: nextMessage<ModelNews, "ended">(child, "ended", settings.phaseMs),
        report: nextMessage<ModelNews, "report">(child, "report", settings.phaseMs).then((news) => news.conversations)
      }
    }
  }
}
