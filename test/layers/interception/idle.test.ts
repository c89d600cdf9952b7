/** How long a tunnel to the host of a secret may be silent. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { once } from "node:events"
import { connect } from "node:tls"
import { vi } from "vitest"
import { interceptorFor } from "../../../src/layers/interception/secretsOf.ts"
import { tunnelsTo, upstreamHost } from "../../support/interceptedHost.ts"
import { secretOf } from "../../support/secretsContract.ts"

const idleMs = 300

vi.mock("../../../src/layers/egress/limits.ts", async (original) => ({ ...(await original<object>()), idleMs: 300 }))

const host = "api.example"

const ask = (path: string) => `GET ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`

describe("a tunnel in which nothing comes any more", () => {
  // The second seen to fail with a bound that is set once, on the connection: node takes it off after the first answer.
  it.scopedLive.each([1, 2])("is closed, also while request %i waits for its answer", (last) =>
    Effect.gen(function* () {
      const upstream = yield* upstreamHost(host, ({ url }, response) => {
        if (url === "/answered") response.end("answered")
      })
      const secrets = [secretOf("API_KEY", "canary-value-of-the-api-key", host)]
      const interceptor = interceptorFor(secrets, "Errand, test", Date.now(), [upstream.root])
      const { authority: ca } = interceptor.inside
      const tunnels = yield* tunnelsTo(interceptor, host, upstream.port, ca)
      const client = connect({ port: tunnels.door, host: "127.0.0.1", servername: host, ca })
      yield* Effect.addFinalizer(() => Effect.sync(() => client.destroy()))
      const begin = Date.now()
      const gone = once(client, "close")
      for (let n = 1; n < last; n++) {
        client.write(ask("/answered"))
        yield* Effect.promise(() => once(client, "data"))
      }
      client.write(ask("/silent"))
      yield* Effect.promise(() => gone)
      expect(Date.now() - begin).toBeGreaterThanOrEqual(idleMs)
      expect(upstream.seen.map(({ url }) => url)).toContain("/silent")
    })
  )
})
