/** How often an address may try to sign in. */
import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { ask, door } from "./door.ts"

/** What makes a request of this machine one of another address. */
const headers = { "x-forwarded-for": "192.0.2.1" }

const claim = (path: string) =>
  ask("POST", path, { headers, body: { code: "2222-2222", deviceName: "guess" } }).pipe(
    Effect.map(({ status }) => status)
  )

layer(door(), { excludeTestServices: true })("attempts to sign in", (it) => {
  // Fails when the path is looked at as it was sent: the router reads `%61` as the `a` that it stands for.
  it.effect("are counted however the path is written", () =>
    Effect.gen(function* () {
      for (let tries = 0; tries < 30; tries++) expect(yield* claim("/api/v1/auth/pair/claim")).toBe(400)
      for (const path of [
        "/api/v1/auth/pair/claim",
        "/api/v1/%61uth/pair/claim",
        "/api/v1/%61uth/pair/claim?%zz",
        "/%61pi/v1/au%74h/pair/claim;x"
      ]) {
        expect([path, yield* claim(path)]).toEqual([path, 429])
      }
    })
  )
})
