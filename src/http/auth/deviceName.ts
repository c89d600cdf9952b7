/** How a device is called in the list of devices. */
import { HttpServerRequest } from "@effect/platform"
import { Effect } from "effect"

const systems: ReadonlyArray<readonly [RegExp, string]> = [
  [/iPhone|iPad/, "iOS"],
  [/Android/, "Android"],
  [/Macintosh/, "macOS"],
  [/Windows/, "Windows"],
  [/Linux/, "Linux"]
]

const programs: ReadonlyArray<readonly [RegExp, string]> = [
  [/Firefox\//, "Firefox"],
  [/Edg\//, "Edge"],
  [/Chrome\//, "Chrome"],
  [/Safari\//, "Safari"]
]

const find = (names: ReadonlyArray<readonly [RegExp, string]>, text: string) =>
  names.find(([sign]) => sign.test(text))?.[1]

/** By what it says of itself, when its person has not named it. */
export const deviceName = Effect.map(HttpServerRequest.HttpServerRequest, ({ headers }) => {
  const text = headers["user-agent"] ?? ""
  const [program, system] = [find(programs, text), find(systems, text)]
  return program === undefined ? (system ?? "a device") : system === undefined ? program : `${program} on ${system}`
})
