import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { OpenApi } from "@effect/platform"
import { createConfig, lintFromString } from "@redocly/openapi-core"
import { describe, expect, it } from "@effect/vitest"
import openapiTs, { astToString } from "openapi-typescript"
import { format } from "prettier"
import { Api } from "../../src/http/Api.ts"
import { problemKinds } from "../../src/http/api/Problem.ts"

const committed = fileURLToPath(new URL("../../docs/openapi.json", import.meta.url))
const generated = JSON.stringify(OpenApi.fromApi(Api))

/** Of whatever shape a test expects. */
type Json = ReturnType<typeof JSON.parse>

const document: Json = JSON.parse(generated)

/** Everything in the document that is an object, with where it stands. */
const nodes = (value: unknown, path = ""): ReadonlyArray<readonly [string, Record<string, unknown>]> =>
  typeof value !== "object" || value === null
    ? []
    : [
        ...(Array.isArray(value) ? [] : [[path, value as Record<string, unknown>] as const]),
        ...Object.entries(value).flatMap(([key, inner]) => nodes(inner, `${path}/${key}`))
      ]

describe("the OpenAPI document", () => {
  it("is the one that is committed (UPDATE_OPENAPI=true writes it)", async () => {
    if (process.env["UPDATE_OPENAPI"] === "true") {
      writeFileSync(committed, await format(generated, { parser: "json", printWidth: 120 }))
    }
    expect(document).toEqual(JSON.parse(readFileSync(committed, "utf8")))
  })

  it("is valid OpenAPI 3.1", async () => {
    expect(document.openapi).toBe("3.1.0")
    const config = await createConfig({ extends: ["spec"] })
    const findings = await lintFromString({ source: generated, absoluteRef: committed, config })
    expect(findings.map(({ location, message }) => [location[0]?.pointer, message])).toEqual([])
  })

  it("has a discriminator on every union, with every member in its mapping", () => {
    const unions = nodes(document).flatMap(([path, node]) =>
      (["anyOf", "oneOf"] as const).flatMap((key) => {
        const members = node[key]
        if (!Array.isArray(members)) return []
        const some = members.filter((member) => member.type !== "null")
        return some.length > 1
          ? [{ path, some, discriminator: node["discriminator"] as { mapping: object } | undefined }]
          : []
      })
    )
    expect(unions.length).toBeGreaterThan(4)
    for (const { discriminator, path, some } of unions) {
      const mapped = Object.values(discriminator?.mapping ?? {})
      expect([path, mapped]).toEqual([path, some.map((member) => member.$ref)])
    }
  })

  it("says what every route answers when it refuses, and that a POST can be repeated", () => {
    for (const [path, operations] of Object.entries<Record<string, Json>>(document.paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        if (path !== "/api/v1/stream") expect([path, operation.responses["500"]]).toEqual([path, expect.anything()])
        const names = operation.parameters.map(({ name }: { name: string }) => name)
        if (method === "post") expect(names.includes("Idempotency-Key")).toBe(!path.startsWith("/api/v1/auth/"))
        for (const [status, response] of Object.entries<Json>(operation.responses)) {
          if (Number(status) < 400 || path === "/readyz") continue
          expect(Object.keys(response.content)).toEqual(["application/problem+json"])
        }
      }
    }
    for (const code of Object.keys(problemKinds)) {
      expect(document.components.schemas.Problem.description).toContain(code)
    }
  })

  it("closes requests and leaves answers open", () => {
    const { NewTask, Task } = document.components.schemas
    expect([NewTask.additionalProperties, NewTask.properties.limits.additionalProperties]).toEqual([false, false])
    expect(Task.additionalProperties).toBe(undefined)
  })

  it("has whole numbers that fit into 64 bits, and no made-up names", () => {
    for (const [path, node] of nodes(document)) {
      if (node["type"] === "integer") expect([path, node["format"]]).toEqual([path, "int64"])
      expect(typeof node["$id"]).not.toBe("string")
    }
    for (const name of ["HttpApiDecodeError", "Issue", "PropertyKey", "Int"]) {
      expect(generated).not.toContain(`/${name}"`)
    }
  })

  it("gives TypeScript that type-checks and says what an author expects", async () => {
    const directory = mkdtempSync(join(tmpdir(), "errand-openapi-"))
    try {
      writeFileSync(join(directory, "api.ts"), astToString(await openapiTs(generated)))
      writeFileSync(
        join(directory, "use.ts"),
        `import type { components, paths } from "./api.ts"
         type Create = paths["/api/v1/tasks"]["post"]
         export const body: Create["requestBody"]["content"]["application/json"] = {
           repository: { url: "https://git.example/a/b" }, prompt: "x", limits: { maxTurns: 1 }
         }
         export const text = (event: components["schemas"]["TaskEvent"]): string =>
           event.type === "task.failed" ? event.message : event.type === "branch.pushed" ? event.commit : ""
         export const head = (frame: components["schemas"]["ServerFrame"]): number =>
           frame.type === "subscribed" ? frame.head : frame.type === "event" && frame.event.type === "task.changed" ? frame.event.task.seq : 0
         // @ts-expect-error a task has no fun
         export const fun = (task: components["schemas"]["Task"]) => task.fun
        `
      )
      const compiler = fileURLToPath(new URL("../../node_modules/typescript/bin/tsc", import.meta.url))
      const options = ["--noEmit", "--strict", "--skipLibCheck", "--allowImportingTsExtensions", "--module", "esnext"]
      execFileSync(process.execPath, [compiler, ...options, "--moduleResolution", "bundler", join(directory, "use.ts")])
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})
