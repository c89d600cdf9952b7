import { describe, expect, it } from "@effect/vitest"
import { Either, FastCheck } from "effect"
import { nextSlot, nextSlots, parseSlots, type Slots } from "../../src/services/slots.ts"

const slotsOf = (cron: string, zone = "UTC"): Slots => Either.getOrThrow(parseSlots(cron, zone))

/** Hours and minutes in UTC of the next slots. */
const times = (cron: string, zone: string, after: string, count: number) =>
  nextSlots(slotsOf(cron, zone), `${after}:00.000Z`, count).map((slot) => slot.slice(5, 16))

const faultOf = (cron: string, zone = "UTC") =>
  Either.match(parseSlots(cron, zone), { onLeft: ({ path }) => path, onRight: () => "none" })

describe("slots", () => {
  it.each([
    ["30 6 * * mon-tue", ["01-05T06:30", "01-06T06:30"]],
    ["*/20 9-10 1,15 jan *", ["01-01T09:00", "01-01T09:20"]],
    ["0 0 29 2 *", ["02-29T00:00", "02-29T00:00"]],
    // Days of the month and of the week are alternatives, as in cron.
    ["0 0 13 * 5", ["01-02T00:00", "01-09T00:00"]],
    ["0 0 * * 7", ["01-04T00:00", "01-11T00:00"]]
  ])("of %s are those of cron", (cron, expected) => {
    expect(times(cron, "UTC", "2026-01-01T00:00", 2)).toEqual(expected)
  })

  it("are later than the moment, also when it is one", () => {
    const daily = slotsOf("0 6 * * *")
    expect(nextSlot(daily, "2026-01-01T05:59:59.999Z")).toBe("2026-01-01T06:00:00.000Z")
    expect(nextSlot(daily, "2026-01-01T06:00:00.000Z")).toBe("2026-01-02T06:00:00.000Z")
  })

  it("follow the wall clock of their zone through the year", () => {
    expect(times("0 6 * * *", "Europe/Berlin", "2026-03-28T00:00", 2)).toEqual(["03-28T05:00", "03-29T04:00"])
    expect(times("0 6 * * *", "Asia/Kolkata", "2026-03-28T00:00", 1)).toEqual(["03-28T00:30"])
  })

  it("that the clock leaves out in spring come as much later, once", () => {
    expect(times("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", 2)).toEqual(["03-29T01:30", "03-30T00:30"])
    expect(times("30 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00", 2)).toEqual(["03-29T01:30", "03-30T00:30"])
    expect(times("30 2 * * *", "Europe/Berlin", "2026-03-29T01:10", 2)).toEqual(["03-29T01:30", "03-30T00:30"])
    expect(times("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:20", 4)).toEqual([
      "03-29T00:30",
      "03-29T01:00",
      "03-29T01:30",
      "03-29T02:00"
    ])
  })

  it("that the clock shows twice in autumn come the first time, also when they are asked for in between", () => {
    expect(times("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", 2)).toEqual(["10-25T00:30", "10-26T01:30"])
    expect(times("30 2 * * *", "Europe/Berlin", "2026-10-25T01:00", 1)).toEqual(["10-26T01:30"])
    expect(times("30 1 * * *", "America/New_York", "2026-11-01T06:10", 1)).toEqual(["11-02T06:30"])
  })

  it("keep their pace through the repeated hour when every hour matches", () => {
    expect(times("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:20", 5)).toEqual([
      "10-25T00:30",
      "10-25T01:00",
      "10-25T01:30",
      "10-25T02:00",
      "10-25T02:30"
    ])
    expect(times("*/15 * * * *", "Australia/Lord_Howe", "2026-04-04T14:40", 4)).toEqual([
      "04-04T14:45",
      "04-04T15:00",
      "04-04T15:15",
      "04-04T15:30"
    ])
  })

  it.each(["* * * * *", "7 * * * *", "*/13 1-3 * * *", "30 2 * * *", "0 0,2 25 * *"])(
    "of %s rise, whatever the moment and the zone",
    (cron) => {
      const moment = FastCheck.integer({ min: Date.UTC(2026, 0), max: Date.UTC(2027, 0) })
      const around = FastCheck.constantFrom(
        "2026-03-29T01:00Z",
        "2026-10-25T01:00Z",
        "2026-11-01T06:00Z",
        "2026-04-04T15:00Z"
      )
      const near = FastCheck.tuple(around, FastCheck.integer({ min: -180 * 60_000, max: 180 * 60_000 })).map(
        ([text, more]) => Date.parse(text) + more
      )
      const zone = FastCheck.constantFrom("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC")
      FastCheck.assert(
        FastCheck.property(FastCheck.oneof(moment, near), zone, (milliseconds, name) => {
          const after = new Date(milliseconds).toISOString()
          const [first = "", second = ""] = nextSlots(slotsOf(cron, name), after, 2)
          expect(first > after).toBe(true)
          expect(second > first).toBe(true)
          expect(first.endsWith(":00.000Z")).toBe(true)
          // What comes next does not depend on when one asks.
          const between = new Date(Math.floor((milliseconds + Date.parse(first)) / 2)).toISOString()
          if (between < first) expect(nextSlot(slotsOf(cron, name), between)).toBe(first)
        }),
        { numRuns: 300 }
      )
    }
  )

  it.each([
    "",
    "* * * *",
    "0 * * * * *",
    "60 * * * *",
    "@daily",
    "5-1 * * * *",
    "*/0 * * * *",
    "x * * * *",
    "0 0 ? * *"
  ])("are refused for the expression %j", (cron) => expect(faultOf(cron)).toBe("cron"))

  it.each(["0 0 30 2 *", "0 0 31 4,6,9,11 *"])("are refused when none ever comes: %s", (cron) => {
    const start = performance.now()
    expect(faultOf(cron)).toBe("cron")
    expect(performance.now() - start).toBeLessThan(50)
  })

  it.each(["", "Mars/Base", "+02:00", "-05:00", "local", "../etc/passwd", "x".repeat(100)])(
    "are refused for the time zone %j",
    (zone) => expect(faultOf("0 6 * * *", zone)).toBe("timeZone")
  )
})
