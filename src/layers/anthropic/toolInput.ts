/** The input of a tool call, from the JSON that the model wrote. */
import { Either, Predicate } from "effect"

/** Half of a character: JSON can spell it, the API refuses it in the next request. */
const loneSurrogate = /\p{Surrogate}/gu

const whole = (_key: string, value: unknown): unknown =>
  typeof value === "string" ? value.replace(loneSurrogate, "\ufffd") : value

/** No tool needs more; whoever writes such a value again, as every request does, goes as deep in calls. */
const mostLevels = 100

const isShallow = (value: unknown, levels = mostLevels): boolean =>
  typeof value !== "object" ||
  value === null ||
  (levels > 0 && Object.values(value).every((inner) => isShallow(inner, levels - 1)))

/** Undefined for what is not a JSON object, or nested without end. No text at all stands for `given`, the input that came with the block. */
export const toolInput = (json: string, given: unknown): object | undefined => {
  if (json === "") return Predicate.isRecord(given) ? given : {}
  const parsed = Either.try((): unknown => (json.includes("\\u") ? JSON.parse(json, whole) : JSON.parse(json)))
  return Either.isRight(parsed) && Predicate.isRecord(parsed.right) && isShallow(parsed.right)
    ? parsed.right
    : undefined
}
