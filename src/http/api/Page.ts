/**
 * Lists in pages.
 *
 * Owns: the parameters and the shape that all lists share, and the strictness of query strings.
 */
import { Either, Encoding, Option, Schema } from "effect"

/** Query strings are as strict as bodies: an unknown parameter is refused by name. */
export const query = <Fields extends Schema.Struct.Fields>(fields: Fields) =>
  Schema.Struct(fields).annotations({ parseOptions: { onExcessProperty: "error", errors: "all" } })

/** One message for a value as a whole, whatever inside it failed. */
export const whole = (message: string) => () => ({ message, override: true })

export const limit = (max: number, byDefault: number) =>
  Schema.optionalWith(
    Schema.NumberFromString.pipe(
      Schema.int(),
      Schema.between(1, max),
      Schema.annotations({
        message: whole(`must be a whole number from 1 to ${max}`),
        jsonSchema: { type: "integer", minimum: 1, maximum: max, default: byDefault }
      })
    ),
    { exact: true, default: () => byDefault }
  )

const notGiven = { message: whole("must be the nextCursor of the page before") }

const wraps = (key: RegExp) => (cursor: string) =>
  Option.exists(Either.getRight(Encoding.decodeBase64UrlString(cursor)), (text) => key.test(text))

const moment = "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z"

/** What a cursor wraps: the place of the last item of a page in its list. */
export const place = {
  /** In the order of a number. */
  position: /^\d{1,15}$/,
  /** By birth, then by id. */
  birth: new RegExp(`^${moment} [a-z]+_[0-9A-Z]{26}$`),
  time: new RegExp(`^${moment}$`),
  /** By cost, then by what it was spent on. */
  cost: /^\d[\d.e+-]* [^]*$/
}

/**
 * How much of a list, and from where: `cursor` is the `nextCursor` of the page before. One that no page of such a list
 * can have given is refused.
 */
export const paging = (key: RegExp) => ({
  limit: limit(200, 50),
  cursor: Schema.optionalWith(Schema.String.pipe(Schema.maxLength(4096), Schema.filter(wraps(key), notGiven)), {
    exact: true
  })
})

export const Paging = query(paging(place.position))

/** Pages of the log are longer: events are small. */
export const eventPaging = {
  after: Schema.optionalWith(
    Schema.NumberFromString.pipe(
      Schema.int(),
      Schema.between(0, Number.MAX_SAFE_INTEGER),
      Schema.annotations({
        message: whole("must be the number of an event, or 0"),
        jsonSchema: { type: "integer", minimum: 0, default: 0 }
      })
    ),
    { exact: true }
  ),
  limit: limit(500, 100),
  cursor: Schema.optionalWith(Schema.String.pipe(Schema.pattern(place.position, notGiven)), { exact: true })
}

/** `nextCursor` is null on the last page. */
export const page = <A, I, R>(item: Schema.Schema<A, I, R>) =>
  Schema.Struct({ items: Schema.Array(item), nextCursor: Schema.NullOr(Schema.String) })
