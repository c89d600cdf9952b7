/**
 * The description of its REST API and webhooks that GitHub publishes: what a request must be, what an answer is.
 *
 * It has 13 MB, so it is read once, when a test first needs it, and only the operations that are used are compiled.
 */
import { Ajv, type ValidateFunction } from "ajv"
import addFormats from "ajv-formats"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fill, type Json, type JsonSchema } from "./fill.ts"

const file = () =>
  join(
    dirname(createRequire(import.meta.url).resolve("@octokit/openapi/package.json")),
    "generated",
    "api.github.com.json"
  )

interface Parameter {
  readonly $ref?: string
  readonly name: string
  readonly in: "query" | "path" | "header"
  readonly required?: boolean
  readonly schema: JsonSchema
}

interface Media {
  readonly content?: { readonly "application/json"?: { readonly schema: JsonSchema } }
  readonly $ref?: string
  readonly required?: boolean
}

interface Operation {
  readonly operationId: string
  readonly parameters?: ReadonlyArray<Parameter>
  readonly requestBody?: Media
  readonly responses: Readonly<Record<string, Media>>
}

interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly "x-webhooks": Readonly<Record<string, { readonly post: Operation }>>
}

/** OpenAPI 3.0 writes `nullable` beside a reference, too, where JSON schema has no such word. */
const withNull = (_key: string, value: unknown): unknown => {
  if (typeof value !== "object" || value === null || !("nullable" in value) || "type" in value) return value
  const { nullable, ...schema } = value
  return nullable === true ? { anyOf: [schema, { enum: [null] }] } : schema
}

const load = () => {
  const description = JSON.parse(readFileSync(file(), "utf8"), withNull) as Description
  const ajv = new Ajv({ strict: false, allErrors: true, logger: false })
  addFormats.default(ajv)
  ajv.addSchema(description as object, "github")
  const at = (pointer: string): unknown =>
    pointer
      .slice(2)
      .split("/")
      .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
      .reduce<unknown>((place, key) => (place as Record<string, unknown>)[key], description)
  const resolve = <A extends { readonly $ref?: string }>(value: A): A =>
    value.$ref === undefined ? value : (at(value.$ref) as A)
  const compiled = new Map<JsonSchema, ValidateFunction>()
  const problems = (schema: JsonSchema, value: unknown): ReadonlyArray<string> => {
    const known = compiled.get(schema)
    // References inside are to the description itself.
    const validate = known ?? ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"github#/')) as object)
    compiled.set(schema, validate)
    return validate(value)
      ? []
      : (validate.errors ?? []).slice(0, 5).map(({ instancePath, message }) => `${instancePath} ${message}`)
  }
  return { description, resolve, problems }
}

let loaded: ReturnType<typeof load> | undefined
const published = () => (loaded ??= load())

/** A number or truth in a query is text; it counts as what it says. */
const ofText = (text: string, { type }: JsonSchema): Json =>
  type === "integer" ? Number(text) : type === "boolean" ? text === "true" : text

const operationAt = (method: string, path: string): Operation => {
  const found = published().description.paths[path]?.[method.toLowerCase()]
  if (found === undefined) throw new Error(`GitHub publishes no ${method} ${path}`)
  return found
}

const bodySchema = (media: Media | undefined): JsonSchema | undefined =>
  media === undefined ? undefined : published().resolve(media).content?.["application/json"]?.schema

/** What is wrong with a request; nothing when it is as published. Names that nobody knows are wrong, too. */
export const requestProblems = (
  method: string,
  path: string,
  { body, query }: { readonly query: URLSearchParams; readonly body: Json | undefined }
): ReadonlyArray<string> => {
  const { problems, resolve } = published()
  const operation = operationAt(method, path)
  const parameters = (operation.parameters ?? []).map(resolve).filter((parameter) => parameter.in === "query")
  const ofQuery = [...query].flatMap(([name, text]) => {
    const known = parameters.find((parameter) => parameter.name === name)
    return known === undefined
      ? [`the query has no ${name}`]
      : problems(resolve(known.schema), ofText(text, resolve(known.schema))).map((problem) => `${name}${problem}`)
  })
  const missing = parameters.filter(({ name, required }) => required === true && !query.has(name))
  const schema = bodySchema(operation.requestBody)
  const known = schema === undefined ? {} : (resolve(schema).properties ?? {})
  const ofBody =
    schema === undefined
      ? body === undefined
        ? []
        : ["it takes no body"]
      : [
          ...problems(schema, body ?? {}),
          ...Object.keys(typeof body === "object" && body !== null ? body : {})
            .filter((name) => !(name in known))
            .map((name) => `the body has no ${name}`)
        ]
  return [...ofQuery, ...missing.map(({ name }) => `the query needs ${name}`), ...ofBody]
}

/** The smallest answer that is as published, with `body` laid over it, and what is still wrong with it. */
export const answerOf = (
  method: string,
  path: string,
  status: number,
  body: Json | undefined
): { readonly body: Json | undefined; readonly problems: ReadonlyArray<string> } => {
  const operation = operationAt(method, path)
  const media = operation.responses[String(status)]
  if (media === undefined) return { body, problems: [`${operation.operationId} never answers ${status}`] }
  const schema = bodySchema(media)
  if (schema === undefined) return { body, problems: [] }
  const filled = fill(published().resolve, schema, body)
  return { body: filled, problems: published().problems(schema, filled) }
}

/** The payload of a webhook as published, by its name there, as `issue-comment-created`, with `body` laid over it. */
export const webhookOf = (name: string, body: Json): Json => {
  const schema = bodySchema(published().description["x-webhooks"][name]?.post.requestBody)
  if (schema === undefined) throw new Error(`GitHub publishes no webhook ${name}`)
  const filled = fill(published().resolve, schema, body)
  const problems = published().problems(schema, filled)
  if (problems.length > 0) throw new Error(`the webhook ${name} is not as published: ${problems.join("; ")}`)
  return filled
}
