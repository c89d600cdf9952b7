/**
 * Words that clients may send.
 *
 * Owns: what every piece of text in a request must be: bounded, whole characters only, no NUL.
 * Does not own: what a text means (`NewTask.ts`).
 */
import { DateTime, Option, ParseResult, Schema } from "effect"
import { Timestamp } from "./Task.ts"
import { visibleText } from "./visibleText.ts"

const encoder = new TextEncoder()

/** NUL ends strings in too many programs, and half a surrogate pair can't be stored. */
const unstorable = /\0|\p{Surrogate}/u

// eslint-disable-next-line no-control-regex -- control characters are what this looks for
const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/u

const Storable = Schema.String.pipe(
  Schema.filter((value) => !unstorable.test(value), {
    message: () => "must not contain NUL or half a surrogate pair"
  })
)

/** Nothing but spaces and invisible characters is nothing. */
const showsSomething = (value: string): boolean => visibleText(value).trim() !== ""

/** Text of many lines, not empty, of at most `maxBytes` bytes of UTF-8. */
export const text = (maxBytes: number) =>
  Storable.pipe(
    Schema.filter((value) => value.length <= maxBytes && encoder.encode(value).length <= maxBytes, {
      message: () => `must have at most ${maxBytes} bytes`,
      jsonSchema: { maxLength: maxBytes }
    }),
    Schema.filter(showsSomething, { message: () => "must not be empty", jsonSchema: { minLength: 1 } })
  )

/** One line, not empty, of at most `maxLength` characters, without control characters. */
export const line = (maxLength: number) =>
  Storable.pipe(
    Schema.maxLength(maxLength, { message: () => `must have at most ${maxLength} characters` }),
    Schema.filter(showsSomething, { message: () => "must not be empty", jsonSchema: { minLength: 1 } }),
    Schema.filter((value) => !control.test(value), { message: () => "must not contain control characters" })
  )

/** What git accepts as a name of a branch or a tag, and commits; never something that reads as an option. */
export const GitRef = line(250).pipe(
  Schema.filter((ref) => !/[\s~^:?*[\\]|\.\.|@\{|\/\/|^[-/]|[/.]$|\.lock(?:\/|$)|(?:^|\/)\./.test(ref) && ref !== "@", {
    message: () => "must be the name of a branch, a tag or a commit"
  }),
  Schema.annotations({ identifier: "GitRef" })
)

const rfc3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})$/

/** Any RFC 3339 time, turned into the one form that is stored. */
export const Time = Schema.transformOrFail(
  Schema.String.annotations({ jsonSchema: { type: "string", format: "date-time" } }),
  Timestamp,
  {
    strict: true,
    decode: (value, _, ast) => {
      const time = rfc3339.test(value) ? DateTime.make(value) : Option.none()
      return Option.match(time, {
        onNone: () => ParseResult.fail(new ParseResult.Type(ast, value)),
        onSome: (instant) => ParseResult.succeed(DateTime.formatIso(DateTime.toUtc(instant)))
      })
    },
    encode: ParseResult.succeed
  }
).annotations({ message: () => "must be a time as 2026-01-31T12:00:00Z" })
