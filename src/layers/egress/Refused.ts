/**
 * Why something is not let through, and how a client of any kind is told so.
 */
import { Schema } from "effect"
import type { Refusal } from "../../services/Egress.ts"

export class Refused extends Schema.TaggedError<Refused>()("Refused", {
  /** Of the HTTP answer, where one can still be given. */
  status: Schema.Int,
  host: Schema.String,
  reason: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return sentence(this)
  }
}

export const sentence = ({ host, reason, remedy }: Refusal): string =>
  `Errand lets nothing through to ${host}: ${reason}. ${remedy}`

/** Names come from inside the sandbox: what is told of them is short and printable. */
export const printable = (text: string): string => text.slice(0, 200).replace(/[^\x21-\x7e]/g, "?") || "(nothing)"

/** A status line shows in the messages of pip and apt, a text in those of cargo and Go, `error` in npm's. */
export const answerOf = (refused: Refused) => {
  const text = sentence(refused)
  return { status: refused.status, line: text, body: `${JSON.stringify({ error: text })}\n` }
}

/** The same where there is no response object: on the bare connection of a CONNECT. */
export const rawAnswer = (refused: Refused): string => {
  const { body, line, status } = answerOf(refused)
  return [
    `HTTP/1.1 ${status} ${line}`,
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
    "",
    body
  ].join("\r\n")
}

const noRemedy = "Nobody can allow that."

export const malformed = (host: string, reason: string) =>
  new Refused({ status: 400, host: printable(host), reason, remedy: noRemedy })

export const never = (host: string, reason: string) =>
  new Refused({ status: 403, host: printable(host), reason, remedy: noRemedy })
