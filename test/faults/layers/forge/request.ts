/** Points around what brings a branch to its pull request. */
import { Effect } from "effect"
import * as Request from "../../../../src/layers/forge/request.ts"
import { ForgeFailed } from "../../../../src/services/Forge.ts"
import { around } from "../../faultPoint.ts"

export * from "../../../../src/layers/forge/request.ts"

const names = new Map([
  ["GET /repos/{owner}/{repo}/pulls", "forge.find"],
  ["POST /repos/{owner}/{repo}/pulls", "forge.open"]
])

const broken = Effect.fail(
  new ForgeFailed({ reason: "unavailable", retryable: true, waitMs: null, detail: "The connection broke." })
)

export const makeCall = (...place: Parameters<typeof Request.makeCall>): Request.Call => {
  const call = Request.makeCall(...place)
  return (route, parameters, answer) => {
    const name = names.get(route)
    const asked = call(route, parameters, answer)
    return name === undefined ? asked : around(name, asked, broken)
  }
}
