/** `{{name}}` in the words of a script. */

/**
 * Variables that every answer has: its number in the conversation (`turn`) and of its step (`visit`), the task's prompt,
 * the newest text of the user (`message`), and a mark by which a conversation that starts over finds its `place`.
 */
export const variablesOfTurn: ReadonlyArray<string> = ["turn", "visit", "prompt", "message", "place"]

export type Variables = Readonly<Record<string, string>>

/** Names that mean nothing stay as they are: files that an agent writes may hold such braces too. */
export const fillIn = (text: string, variables: Variables): string =>
  text.replace(/\{\{\s*(\w+)\s*\}\}/g, (braces, name: string) =>
    Object.hasOwn(variables, name) ? (variables[name] ?? braces) : braces
  )

/** The same for every string of a JSON value. */
export const fillInAll = (value: unknown, variables: Variables): unknown => {
  if (typeof value === "string") return fillIn(value, variables)
  if (Array.isArray(value)) return value.map((item) => fillInAll(item, variables))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fillInAll(item, variables)]))
}
