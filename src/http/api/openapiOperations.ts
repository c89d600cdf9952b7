/**
 * What the HttpApi definition can't say about routes: headers, other media types, the WebSocket.
 */
import { isObject, type Json, type JsonObject, objectAt } from "./json.ts"

const string = { type: "string" }
const integer = { type: "integer" }

const header = (name: string, description: string, schema: JsonObject = string): JsonObject => ({
  name,
  in: "header",
  required: false,
  description,
  schema
})

const problem: JsonObject = {
  "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } }
}

/** Every answer that stands for an error is a problem, also those that Effect's decoding would give. */
const describeResponse = (status: string, response: Json): Json => {
  if (!isObject(response) || Number(status) < 400) return response
  const json = objectAt(objectAt(response, "content"), "application/json")
  const isAnswer = isObject(json["schema"]) && json["schema"]["$ref"] === "#/components/schemas/Readiness"
  return isAnswer ? response : { ...response, description: "Problem", content: problem }
}

const merge = (operation: JsonObject, additions: JsonObject): JsonObject => ({
  ...operation,
  ...additions,
  parameters: [...list(operation["parameters"]), ...list(additions["parameters"])],
  responses: Object.fromEntries(
    Object.entries({ ...objectAt(operation, "responses"), ...objectAt(additions, "responses") }).map(
      ([status, response]) => {
        const before = objectAt(objectAt(operation, "responses"), status)
        const more = objectAt(objectAt(additions, "responses"), status)
        return [
          status,
          {
            ...(isObject(response) ? response : {}),
            ...before,
            ...more,
            ...(Object.keys(more).length > 0 && Object.keys(before).length > 0
              ? { content: { ...objectAt(before, "content"), ...objectAt(more, "content") } }
              : {})
          }
        ]
      }
    )
  )
})

const list = (value: Json | undefined): ReadonlyArray<Json> => (Array.isArray(value) ? value : [])

const replayed: JsonObject = {
  "Idempotency-Replayed": { description: "`true` when this is the answer to an earlier request.", schema: string }
}

const additions: Readonly<Record<string, JsonObject>> = {
  createTask: {
    responses: { "201": { headers: { ...replayed, Location: { description: "The task.", schema: string } } } }
  },
  createSchedule: {
    responses: { "201": { headers: { ...replayed, Location: { description: "The schedule.", schema: string } } } }
  },
  listEvents: {
    parameters: [header("Last-Event-ID", "With `text/event-stream`: go on after this seq.", integer)],
    responses: {
      "200": {
        headers: { "Errand-Epoch": { description: "With `text/event-stream`: names the log.", schema: string } },
        content: { "text/event-stream": { schema: string } }
      }
    }
  },
  getLog: {
    parameters: [header("Range", "`bytes=first-last`, `bytes=first-` or `bytes=-length`.")]
  }
}

const describeOperation = (method: string, operation: JsonObject): JsonObject => {
  const responses = Object.fromEntries(
    Object.entries(objectAt(operation, "responses")).map(([status, response]) => [
      status,
      describeResponse(status, response)
    ])
  )
  const name = operation["operationId"]
  const own = merge({ ...operation, responses }, (typeof name === "string" ? additions[name] : undefined) ?? {})
  // What signs in is a secret for one use: no answer of it is kept to be given again.
  return method === "post" && !list(operation["tags"]).some((tag) => tag === "auth" || tag === "pairing")
    ? merge(own, {
        parameters: [
          header("Idempotency-Key", "Makes repeating this request safe.", {
            type: "string",
            minLength: 1,
            maxLength: 255
          })
        ]
      })
    : own
}

const stream: JsonObject = {
  get: {
    tags: ["stream"],
    operationId: "openStream",
    summary: "Live news.",
    description:
      "A WebSocket of `ClientFrame` and `ServerFrame`. Authenticate by `Authorization`, or by the first frame within five seconds.",
    parameters: [],
    security: [{ bearer: [] }, {}],
    responses: {
      "101": { description: "The stream is open." },
      "400": { description: "Problem", content: problem },
      "401": { description: "Problem", content: problem },
      "403": { description: "Problem", content: problem },
      "426": { description: "Problem", content: problem },
      "429": { description: "Problem", content: problem }
    }
  }
}

export const describeOperations = (paths: JsonObject): JsonObject => ({
  ...Object.fromEntries(
    Object.entries(paths).map(([path, operations]) => [
      path,
      Object.fromEntries(
        Object.entries(isObject(operations) ? operations : {}).map(([method, operation]) => [
          method,
          isObject(operation) ? describeOperation(method, operation) : operation
        ])
      )
    ])
  ),
  "/api/v1/stream": stream
})
