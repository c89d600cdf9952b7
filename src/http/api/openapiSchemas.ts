/**
 * Schemas of the OpenAPI document, made fit for generators of clients.
 *
 * Owns: what `OpenApi.fromApi` says in a way that generators for Swift, Kotlin and TypeScript stumble over.
 */
import { Option } from "effect"
import { isObject, type Json, type JsonObject, objectAt } from "./json.ts"

const prefix = "#/components/schemas/"

const referenceOf = (schema: Json): Option.Option<string> =>
  isObject(schema) && typeof schema["$ref"] === "string" && schema["$ref"].startsWith(prefix)
    ? Option.some(schema["$ref"].slice(prefix.length))
    : Option.none()

const isNull = (schema: Json) => isObject(schema) && schema["type"] === "null"

/** The members of a union, with the unions among them taken apart. */
const members = (schemas: JsonObject, schema: Json): ReadonlyArray<Json> => {
  const target = Option.match(referenceOf(schema), { onNone: () => schema, onSome: (name) => objectAt(schemas, name) })
  const union = isObject(target) ? target["anyOf"] : undefined
  return Array.isArray(union) ? union.flatMap((member) => members(schemas, member)) : [schema]
}

/** The one value that a property has in a schema, when it can have no other. */
const constant = (schemas: JsonObject, schema: Json, property: string): Option.Option<string> => {
  const target = Option.match(referenceOf(schema), { onNone: () => schema, onSome: (name) => objectAt(schemas, name) })
  const values = isObject(target) ? objectAt(objectAt(target, "properties"), property)["enum"] : undefined
  return Array.isArray(values) && values.length === 1 && typeof values[0] === "string"
    ? Option.some(values[0])
    : Option.none()
}

/** Says which property tells the members of a union apart, so that generators make an enum and not a guess. */
const discriminated = (schemas: JsonObject, union: ReadonlyArray<Json>): Option.Option<JsonObject> => {
  const all = union.flatMap((member) => members(schemas, member))
  const property = ["type", "kind", "grantType"].find((name) =>
    all.every((one) => Option.isSome(constant(schemas, one, name)))
  )
  return Option.fromNullable(property).pipe(
    Option.map((propertyName) => ({
      oneOf: all,
      discriminator: {
        propertyName,
        mapping: Object.fromEntries(
          all.flatMap((one) =>
            Option.toArray(
              Option.zipWith(
                constant(schemas, one, propertyName),
                referenceOf(one),
                (value, name) => [value, `${prefix}${name}`] as const
              )
            )
          )
        )
      }
    }))
  )
}

/** Titles that Effect makes of refinements (`maxLength(200)`), and the description that goes with them, tell nothing. */
const isNoise = (title: Json | undefined) =>
  typeof title === "string" && /^(?:\w+\(.*\)|unknown|int|finite|nonEmpty\w*)$/.test(title)

/** Answers may grow, so that only requests are closed; made-up `$id`s would clash. */
const isDispensable = (key: string, value: Json, noise: boolean) =>
  (noise && (key === "title" || key === "description")) ||
  (key === "$id" && typeof value === "string") ||
  (key === "additionalProperties" && typeof value === "boolean")

export const tidyObject = (schemas: JsonObject, schema: JsonObject): JsonObject => {
  if (Option.contains(referenceOf(schema), "Int")) {
    const { $ref: _, ...rest } = schema
    return tidyObject(schemas, { type: "integer", ...rest })
  }
  const union = schema["anyOf"]
  if (Array.isArray(union)) {
    const { anyOf: _, ...rest } = schema
    const some = union.filter((member) => !isNull(member))
    const [only] = some
    if (some.length === 1 && some.length < union.length && isObject(only) && typeof only["type"] === "string") {
      return tidyObject(schemas, { ...rest, ...only, type: [only["type"], "null"] })
    }
    const found = discriminated(schemas, some)
    if (some.length > 1 && some.length === union.length && Option.isSome(found)) {
      return { ...rest, ...found.value }
    }
  }
  const noise = isNoise(schema["title"])
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key, value]) => !isDispensable(key, value, noise))
      .concat(schema["type"] === "integer" ? [["format", "int64"]] : [])
      .map(([key, value]) => [key, key === "default" ? value : tidyValue(schemas, value)])
  )
}

export const tidyValue = (schemas: JsonObject, value: Json): Json =>
  Array.isArray(value)
    ? value.map((item) => tidyValue(schemas, item))
    : isObject(value)
      ? tidyObject(schemas, value)
      : value

/** The names of the schemas that requests are made of. */
const reached = (schemas: JsonObject, value: Json, seen: ReadonlySet<string> = new Set()): ReadonlySet<string> => {
  const name = Option.getOrUndefined(referenceOf(value))
  if (name !== undefined) {
    return seen.has(name) ? seen : reached(schemas, schemas[name] ?? null, new Set([...seen, name]))
  }
  const inner = Array.isArray(value) ? value : isObject(value) ? Object.values(value) : []
  return inner.reduce<ReadonlySet<string>>((names, one) => reached(schemas, one, names), seen)
}

const close = (value: Json): Json => {
  if (Array.isArray(value)) return value.map(close)
  if (!isObject(value)) return value
  const inner = Object.fromEntries(Object.entries(value).map(([key, one]) => [key, close(one)]))
  return value["type"] === "object" && isObject(value["properties"]) ? { ...inner, additionalProperties: false } : inner
}

/** Closes the objects of request bodies, as the server does. */
export const strictRequests = (schemas: JsonObject, paths: JsonObject): JsonObject => {
  const bodies = Object.values(paths).flatMap((operations) =>
    Object.values(isObject(operations) ? operations : {}).map((operation) =>
      isObject(operation) ? objectAt(operation, "requestBody") : {}
    )
  )
  const names = reached(schemas, bodies)
  return Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => [name, names.has(name) ? close(schema) : schema])
  )
}
