/**
 * Lists in pages.
 *
 * Owns: the parameters and the shape that all lists share, and the strictness of query strings.
 */
import { Schema } from "effect"

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

/** How much of a list, and from where: `cursor` is the `nextCursor` of the page before. */
export const paging = {
  limit: limit(200, 50),
  cursor: Schema.optionalWith(Schema.String.pipe(Schema.maxLength(512)), { exact: true })
}

export const Paging = query(paging)

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
  cursor: paging.cursor
}

/** `nextCursor` is null on the last page. */
export const page = <A, I, R>(item: Schema.Schema<A, I, R>) =>
  Schema.Struct({ items: Schema.Array(item), nextCursor: Schema.NullOr(Schema.String) })
