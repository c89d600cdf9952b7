/** What the model's side sees of the conversations with it. Times are in milliseconds of the shared clock. */

/** One request and its answer. */
export interface Turn {
  /** When the whole request was there, and when the last byte of its answer was out. */
  readonly arrivedAt: number
  readonly answeredAt: number
  readonly requestBytes: number
  readonly promptTokens: number
  /** Of these, read from the cache. */
  readonly cachedTokens: number
  /** The tool that the answer calls; none in the last turn. */
  readonly tool: string | undefined
}

/** When how many characters of a text were written, or read. */
export interface Written {
  readonly at: number
  readonly characters: number
}

export interface Conversation {
  readonly turns: ReadonlyArray<Turn>
  /** The text of its answers, when it is written at typing speed. */
  readonly written: ReadonlyArray<Written>
}

/** Stands in the prompt of each task, so that the model's side can tell conversations apart. */
export const conversationMark = (name: string): string => `[conversation ${name}]`

export const conversationIn = (prompt: string): string => /\[conversation ([\w-]+)\]/.exec(prompt)?.[1] ?? ""
