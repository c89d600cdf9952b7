/** Messages between the benchmark and the processes that it starts. */
import type { ChildProcess } from "node:child_process"
import type { Conversation, Written } from "./conversations.ts"

/** To the model: the conversations that come next, and the steps of each. */
export interface ModelOrder {
  readonly expect: ReadonlyArray<string>
  readonly steps: number
}

/** From the model. `begun`: the first expected request is here; `ended`: the last answer of all of them is out. */
export type ModelNews =
  | { readonly type: "listening"; readonly url: string }
  | { readonly type: "begun" }
  | { readonly type: "ended" }
  | { readonly type: "report"; readonly conversations: ReadonlyArray<Conversation> }

/** To the plain loop: tasks to do at once, and that their containers may go. */
export type LoopOrder = { readonly type: "do"; readonly prompts: ReadonlyArray<string> } | { readonly type: "close" }

/** From the plain loop. `received`: when how much of the last answer's text had come, for each task. */
export type LoopNews =
  | { readonly type: "ready" }
  | { readonly type: "done"; readonly received: ReadonlyArray<ReadonlyArray<Written>> }
  | { readonly type: "closed" }
  | { readonly type: "failed"; readonly message: string }

type OfType<News, Type> = Extract<News, { readonly type: Type }>

const isOfType = <News extends { readonly type: string }, Type extends News["type"]>(
  news: News,
  type: Type
): news is OfType<News, Type> => news.type === type

/** The next message of a type. An early end of the process is an error, and so are a failure it tells and a long wait. */
export const nextMessage = <News extends { readonly type: string }, Type extends News["type"]>(
  child: ChildProcess,
  type: Type,
  withinMs: number
): Promise<OfType<News, Type>> => {
  const waiting = new Promise<OfType<News, Type>>((resolve, reject) => {
    const settle = (outcome: () => void) => {
      clearTimeout(timer)
      child.off("message", take)
      child.off("exit", ended)
      outcome()
    }
    const fail = (reason: string) => settle(() => reject(new Error(reason)))
    const take = (news: News) => {
      if (isOfType(news, type)) settle(() => resolve(news))
      else if (news.type === "failed") fail(JSON.stringify(news))
    }
    const ended = (code: number | null) => fail(`a process of the benchmark ended with code ${code}`)
    const timer = setTimeout(() => fail(`nothing was "${type}" within ${withinMs / 1000} s`), withinMs)
    child.on("message", take)
    child.on("exit", ended)
  })
  // Whoever awaits it later hears of a failure then.
  waiting.catch(() => undefined)
  return waiting
}
