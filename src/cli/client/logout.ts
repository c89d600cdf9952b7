/** What `errand logout` does: the session ends at the server, and here in any case. */
import { Effect, Option, Schema } from "effect"
import { line } from "../render/Line.ts"
import { print, writeJson } from "../Screen.ts"
import { serverUrl } from "./Connection.ts"
import { make } from "./ErrandClient.ts"
import { sessionAt } from "./session.ts"
import { make as makeSessionFile } from "./SessionFile.ts"

interface LogoutOptions {
  readonly server: string
  readonly json: boolean
}

/** Only this machine has forgotten the session. */
export class ServerNotTold extends Schema.TaggedError<ServerNotTold>()("ServerNotTold", {
  server: Schema.String,
  deviceId: Schema.String
}) {
  override get message() {
    return `You are signed out here, but ${this.server} could not be told. Revoke ${this.deviceId} there from another device, or leave it: unused, it ends after 30 days.`
  }
}

export const logout = Effect.fn("logout")(function* (options: LogoutOptions) {
  const server = yield* serverUrl(options.server)
  const file = yield* makeSessionFile
  const saved = yield* file.find(server)
  const session = yield* sessionAt(server)
  if (Option.isSome(session) && Option.isSome(saved)) {
    const told = yield* Effect.either(Effect.flatMap(make(session.value), (client) => client.pairing.logout()))
    yield* file.alone(file.remove(server))
    const isUntold = told._tag === "Left" && told.left._tag !== "SessionOver"
    if (isUntold) return yield* new ServerNotTold({ server, deviceId: saved.value.deviceId })
  }
  const signedOut = Option.isSome(session)
  yield* options.json
    ? writeJson({ server, signedOut })
    : print(line(signedOut ? `Signed out at ${server}.` : `You were not signed in at ${server}.`))
})
