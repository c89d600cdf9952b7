/**
 * The OpenAPI document, from what `OpenApi.fromApi` generates.
 *
 * Owns: putting the parts together.
 * Does not own: the routes (`../Api.ts`), schemas (`openapiSchemas.ts`), what only prose can say (`openapiOperations.ts`).
 */
import { isObject, type Json, objectAt } from "./json.ts"
import { describeOperations } from "./openapiOperations.ts"
import { strictRequests, tidyObject, tidyValue } from "./openapiSchemas.ts"

/** Schemas that stand in for problems in the generated document. */
const internal = ["HttpApiDecodeError", "Issue", "PropertyKey", "Int"]

/** Rewrites the generated document; the result is a new one. */
export const tidy = (document: Record<string, unknown>): Record<string, unknown> => {
  const raw: Json = JSON.parse(JSON.stringify(document))
  if (!isObject(raw)) return document
  const components = objectAt(raw, "components")
  const schemas = objectAt(components, "schemas")
  const tidySchemas = Object.fromEntries(
    Object.entries(schemas)
      .filter(([name]) => !internal.includes(name))
      .map(([name, schema]) => [name, tidyValue(schemas, schema)])
  )
  const paths = tidyObject(schemas, describeOperations(objectAt(raw, "paths")))
  return { ...raw, paths, components: { ...components, schemas: strictRequests(tidySchemas, paths) } }
}
