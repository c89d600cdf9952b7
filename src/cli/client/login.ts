/**
 * What `errand login` does: on with GitHub's device flow, or with the code of somebody who is in already.
 *
 * Owns: showing where to go, asking until the person has decided, keeping the session.
 * Does not own: renewing it (`session.ts`).
 */
import { hostname } from "node:os"
import { Clock, Duration, Effect, Option, Redacted, Schema } from "effect"
import type { TokenAnswer } from "../../http/api/AuthApi.ts"
import { Interrupted } from "../outcome.ts"
import { line, span } from "../render/Line.ts"
import { qrCode } from "../render/qrCode.ts"
import { safeLine } from "../render/safeText.ts"
import { print, Screen, writeJson } from "../Screen.ts"
import { Signals } from "../Signals.ts"
import { anonymous } from "./anonymous.ts"
import { type RequestFailure, serverUrl, withToken } from "./Connection.ts"
import { make } from "./ErrandClient.ts"
import { make as makeSessionFile, savedSession } from "./SessionFile.ts"

interface LoginOptions {
  readonly server: string
  readonly code: Option.Option<string>
  readonly json: boolean
}

/** Nobody has decided while the code was good. */
export class SignInOver extends Schema.TaggedError<SignInOver>()("SignInOver", {}) {
  override get message() {
    return "The code is over, and nobody has confirmed the sign-in. Begin again with `errand login`."
  }
}

/** The server has no GitHub settings. */
export class CodeNeeded extends Schema.TaggedError<CodeNeeded>()("CodeNeeded", { server: Schema.String }) {
  override get message() {
    return `${this.server} has no sign-in with GitHub. Run \`errand pair\` on the server, or ask somebody who is signed in for a code; then give it here with \`errand login --code CODE\`.`
  }
}

type Client = Effect.Effect.Success<ReturnType<typeof anonymous>>

/** Seconds; the least keeps a server from being asked without a pause, the most from waiting past the code's end. */
const between = (seconds: number) => Math.min(Math.max(seconds, 0.1), 60)

/** How this machine is called in the list of devices. */
const deviceName = Effect.sync(() => `errand on ${safeLine(hostname())}`.slice(0, 100))

/** Asks until the person has decided. A server that is away for a moment is asked again. */
const tokens = Effect.fnUntraced(function* (
  ask: Effect.Effect<typeof TokenAnswer.Type | void, RequestFailure>,
  times: { readonly intervalSeconds: number; readonly endsAt: number }
) {
  let seconds = between(times.intervalSeconds)
  while ((yield* Clock.currentTimeMillis) < times.endsAt) {
    yield* Effect.sleep(Duration.seconds(seconds))
    const answer = yield* ask.pipe(
      Effect.catchIf(
        (error) => error._tag === "Problem" && error.code === "authorization_pending",
        () => Effect.void
      ),
      Effect.catchIf(
        (error) => error._tag === "RequestError" || (error._tag === "Problem" && isBusy(error)),
        () => Effect.sync(() => void (seconds = between(seconds + 5)))
      )
    )
    if (answer !== undefined) return answer
  }
  return yield* new SignInOver()
})

const isBusy = ({ code, status }: { readonly code: string; readonly status: number }) =>
  code === "slow_down" || status === 429 || status >= 500

const withGitHub = Effect.fnUntraced(function* (client: Client, { json, server }: LoginOptions) {
  const began = yield* Effect.catchIf(
    client.auth.device(),
    (error) => error._tag === "Problem" && error.code === "sign_in_unavailable",
    () => new CodeNeeded({ server })
  )
  const { deviceCode, ...shown } = began
  const { interactive } = yield* Screen
  const [url, code] = [safeLine(shown.verificationUrl), safeLine(shown.userCode)]
  yield* json
    ? writeJson({ type: "code", ...shown })
    : print(
        ...(interactive ? qrCode(url) : []),
        line("Open ", span(url, "accent"), " on any device and type the code ", span(code, "strong"), " there.")
      )
  const endsAt = (yield* Clock.currentTimeMillis) + shown.expiresInSeconds * 1_000
  const { intervalSeconds } = shown
  const payload = {
    grantType: "device_code",
    deviceCode: Redacted.make(deviceCode),
    deviceName: yield* deviceName
  } as const
  return yield* tokens(client.auth.token({ payload }), { intervalSeconds, endsAt })
})

const withPairing = Effect.fnUntraced(function* (client: Client, code: string, json: boolean) {
  const { secret, ...shown } = yield* client.auth.claim({ payload: { code, deviceName: yield* deviceName } })
  const { expiresAt, intervalSeconds, number, pairingId } = shown
  yield* json
    ? writeJson({ type: "number", ...shown })
    : print(line("Type the number ", span(String(number), "strong"), " where the code came from."))
  const payload = { grantType: "pairing", pairingId, secret: Redacted.make(secret) } as const
  return yield* tokens(client.auth.token({ payload }), { intervalSeconds, endsAt: Date.parse(expiresAt) })
})

const signIn = Effect.fnUntraced(function* (options: LoginOptions) {
  const { json, server } = options
  const file = yield* makeSessionFile
  const client = yield* anonymous(server)
  const answer = yield* Option.match(options.code, {
    onSome: (code) => withPairing(client, code, json),
    onNone: () => withGitHub(client, options)
  })
  const session = savedSession(answer, yield* Clock.currentTimeMillis)
  yield* Effect.uninterruptible(file.alone(file.put(server, session)))
  const { login } = yield* (yield* make(withToken(server, session.accessToken))).account.me()
  yield* json
    ? writeJson({ type: "signed-in", server, login, deviceId: session.deviceId })
    : print(line("Signed in at ", span(server, "accent"), ` as ${safeLine(login)}.`))
})

export const login = Effect.fn("login")(function* (options: LoginOptions) {
  const signals = yield* Signals
  const server = yield* serverUrl(options.server)
  const ended = yield* Effect.raceFirst(signIn({ ...options, server }), signals.first)
  if (ended !== undefined) return yield* new Interrupted({ signal: ended })
})
