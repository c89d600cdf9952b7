/** The smallest value that a JSON schema takes, with what is given laid over it. */

export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json | undefined }

export interface JsonSchema {
  readonly $ref?: string
  readonly type?: string
  readonly format?: string
  readonly nullable?: boolean
  readonly enum?: ReadonlyArray<Json>
  readonly required?: ReadonlyArray<string>
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly items?: JsonSchema
  readonly allOf?: ReadonlyArray<JsonSchema>
  readonly oneOf?: ReadonlyArray<JsonSchema>
  readonly anyOf?: ReadonlyArray<JsonSchema>
}

const texts: Readonly<Record<string, string>> = {
  "date-time": "2026-01-01T00:00:00Z",
  date: "2026-01-01",
  uri: "https://example.com/",
  email: "somebody@example.com"
}

const isObject = (value: Json | undefined): value is { readonly [key: string]: Json | undefined } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isList = (value: Json | undefined): value is ReadonlyArray<Json> => Array.isArray(value)

export const fill = (
  resolve: (schema: JsonSchema) => JsonSchema,
  unresolved: JsonSchema,
  value: Json | undefined
): Json => {
  const schema = resolve(unresolved)
  const inner = (part: JsonSchema, given: Json | undefined) => fill(resolve, part, given)
  if (value === undefined && schema.nullable === true) return null
  if (value === null) return null
  if (value === undefined && schema.enum !== undefined) return schema.enum.find((word) => word !== null) ?? null
  if (schema.allOf !== undefined) {
    return Object.assign({}, ...schema.allOf.map((part) => inner(part, value))) as Json
  }
  const variants = schema.oneOf ?? schema.anyOf
  if (variants !== undefined && schema.properties === undefined) {
    const fits = variants.find((part) => isObject(value) === (resolve(part).properties !== undefined))
    return inner((value === undefined ? variants[0] : fits) ?? {}, value)
  }
  if (schema.properties !== undefined || schema.type === "object") {
    const given = isObject(value) ? value : {}
    const names = new Set([...(schema.required ?? []), ...Object.keys(given)])
    return Object.fromEntries(
      [...names].map((name) => [name, inner(schema.properties?.[name] ?? {}, given[name])])
    ) as Json
  }
  if (schema.type === "array") return (isList(value) ? value : []).map((item) => inner(schema.items ?? {}, item))
  if (value !== undefined) return value
  switch (schema.type) {
    case "string":
      return texts[schema.format ?? ""] ?? "text"
    case "integer":
    case "number":
      return 0
    case "boolean":
      return false
    default:
      return null
  }
}
