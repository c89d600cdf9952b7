/** What `errand token` does. */
import { Console, Effect, Layer, Option, Redacted, Schema } from "effect"
import type { Device, TokenScope } from "../../services/Accounts.ts"
import { AppConfig } from "../../services/AppConfig.ts"
import { DeviceId } from "../../services/Ids.ts"
import { WrongUsage } from "../outcome.ts"
import { codeLine, type Line, line, span } from "../render/Line.ts"
import { safeLine } from "../render/safeText.ts"
import { print, Screen, writeJson } from "../Screen.ts"
import { withAccounts } from "./accounts.ts"
import * as settings from "./settings.ts"

interface Output {
  readonly json: boolean
}

/** On the database that the settings name. */
const onDataDir = <A, E, R>(effect: Effect.Effect<A, E, R | AppConfig>) =>
  Effect.scoped(Effect.flatMap(Layer.build(settings.layer), (context) => Effect.provide(effect, context)))

/** The token alone on standard output, so that `$(errand token create …)` is the token. */
export const create = Effect.fn("token create")(function* (
  options: Output & { readonly login: string; readonly name: string; readonly scopes: ReadonlyArray<TokenScope> }
) {
  const scopes: ReadonlyArray<TokenScope> = options.scopes.length > 0 ? options.scopes : ["read", "write"]
  const { dataDir, device, token, user } = yield* onDataDir(
    Effect.flatMap(AppConfig, ({ dataDir }) =>
      withAccounts((accounts) => accounts.createToken(options.login, { name: options.name, scopes })).pipe(
        Effect.map((made) => ({ dataDir, ...made }))
      )
    )
  )
  if (options.json) {
    return yield* writeJson({ token: Redacted.value(token), login: user.login, role: user.role, device })
  }
  const { write } = yield* Screen
  yield* write(`${Redacted.value(token)}\n`)
  yield* Console.error(
    `Access token of ${user.login} (${user.role}; ${device.scopes.join(", ")}) for the server in ${dataDir}. It is shown this once: only its hash is stored.`
  )
})

const row = (device: Device & { readonly login: string }): Line =>
  codeLine(
    span(device.id, "quiet"),
    `  ${safeLine(device.login)}  ${safeLine(device.name)}  `,
    span(device.scopes.join(","), "quiet"),
    span(`  made ${device.createdAt}`, "quiet"),
    device.revokedAt === null
      ? span(`  ${device.lastSeenAt === null ? "never used" : `used ${device.lastSeenAt}`}`, "quiet")
      : span(`  revoked ${device.revokedAt}`, "bad")
  )

export const list = Effect.fn("token list")(function* (options: Output & { readonly login: Option.Option<string> }) {
  const wanted = ({ login }: { readonly login: string }) => Option.getOrElse(options.login, () => login) === login
  const devices = yield* onDataDir(withAccounts((accounts) => accounts.devices(Option.none())))
  const found = devices.filter(wanted)
  if (options.json) return yield* Effect.forEach(found, writeJson, { discard: true })
  yield* print(...(found.length === 0 ? [line(span("no tokens", "quiet"))] : found.map(row)))
})

/** There is no such token. */
export class TokenUnknown extends Schema.TaggedError<TokenUnknown>()("TokenUnknown", { id: Schema.String }) {
  override get message() {
    return `There is no token ${safeLine(this.id)}. \`errand token list\` shows them all.`
  }
}

export const revoke = Effect.fn("token revoke")(function* (options: Output & { readonly id: string }) {
  const id = yield* Effect.mapError(
    Schema.decode(DeviceId)(options.id),
    () =>
      new WrongUsage({
        problem: `"${safeLine(options.id)}" is not the id of a token; \`errand token list\` shows them.`
      })
  )
  const revoked = yield* onDataDir(withAccounts((accounts) => accounts.revoke(Option.none(), id)))
  if (!revoked) return yield* new TokenUnknown({ id })
  yield* options.json ? writeJson({ revoked: id }) : print(line(`revoked ${id}`))
})
