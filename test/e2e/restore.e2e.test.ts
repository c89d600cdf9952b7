/**
 * Everything is killed under a load of 200 writes a second, the database thrown away and restored from its replica:
 * `npm run test:restore` does it 20 times.
 */
import { Effect } from "effect"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { connectTo } from "../support/otherConnection.ts"
import { RestoreDrill, type Round } from "../support/RestoreDrill.ts"
import { S3 } from "../support/s3.ts"

const rounds = process.env["ERRAND_TEST_RESTORE"] === "long" ? 20 : 2

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await new Promise((resolve) => server.once("listening", resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

const pragma = (file: string, text: string) =>
  Effect.runPromise(
    Effect.scoped(Effect.flatMap(connectTo(file), (sql) => sql.unsafe<Record<string, unknown>>(`PRAGMA ${text}`)))
  )

describe("a replica", () => {
  const s3 = new S3()
  let drill: RestoreDrill

  beforeAll(async () => {
    await s3.start()
    drill = new RestoreDrill(s3, await freePort())
    await drill.start()
  })

  afterAll(async () => {
    await drill.dispose()
    await s3.stop()
  })

  it(
    `brings back all but the last two seconds, ${rounds} times`,
    async () => {
      const done: Array<Round> = []
      for (let number = 0; number < rounds; number += 1) {
        const round = await drill.round(3 + (number % 4) * 0.7)
        done.push(round)
        // oxlint-disable-next-line no-console -- the figures of a drill
        console.log(JSON.stringify(round))
        const file = join(drill.errand.dataDir, "errand.db")
        expect(await pragma(file, "integrity_check")).toEqual([{ integrity_check: "ok" }])
        expect(await pragma(file, "foreign_key_check")).toEqual([])
        expect(await drill.gaps()).toEqual([])
        expect(round.writes).toBeGreaterThan(0)
        expect(round.lostMs).toBeLessThanOrEqual(2_000)
      }
      // Otherwise nothing was ever at stake.
      expect(done.some(({ lost }) => lost > 0)).toBe(true)
    },
    rounds * 60_000
  )

  it("is told of, and proven beside the live database", async () => {
    const ready = async () => (await drill.errand.call("GET", "/readyz")).body["backup"]
    await expect
      .poll(ready, { timeout: 10_000 })
      .toMatchObject({ replicating: true, lagSeconds: expect.any(Number), provenAt: null, alarm: null })
    await drill.errand.command("restore", "--prove", join(drill.errand.temporaryDir, "litestream.yml"))
    await new Promise((resume) => setTimeout(resume, 1_100))
    expect(await ready()).toMatchObject({ provenAt: expect.any(String), proofAgeSeconds: expect.any(Number) })
    const { body } = await drill.errand.call("GET", "/metrics")
    expect(body["text"]).toContain("\nerrand_replication_up 1\n")
    expect(body["text"]).toMatch(/\nerrand_restore_proven_lag_seconds [\d.]+\n/)
  })
})
