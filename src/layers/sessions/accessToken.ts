/**
 * Access tokens of sessions: JWTs (RFC 9068) with HMAC SHA-256, signed and read by this server alone.
 *
 * Owns: their claims, and that nothing in a token chooses how it is checked: its key id only names one of ours.
 * Does not own: the keys, whether the session still lasts (`makeSessions.ts`).
 */
import { DateTime, Effect, Option, Redacted, Schema } from "effect"
import { decodeProtectedHeader, jwtVerify, SignJWT } from "jose"
import { DeviceId, UserId } from "../../services/Ids.ts"

export const accessTokenSeconds = 600

const algorithm = "HS256"
const type = "at+jwt"
const issuer = "errand"
const audience = "errand-api"

/** Ours have some 400 characters. */
const mostCharacters = 2048

export interface KeyBytes {
  readonly id: string
  readonly bytes: Uint8Array
}

export interface Claims {
  readonly user: UserId
  readonly session: DeviceId
}

const ClaimsOnWire = Schema.Struct({ sub: UserId, sid: DeviceId })
const decodeClaims = Schema.decodeUnknownOption(ClaimsOnWire)

const Header = Schema.Struct({
  alg: Schema.Literal(algorithm),
  typ: Schema.Literal(type),
  kid: Schema.String.pipe(Schema.pattern(/^[0-9A-Z]{26}$/))
})
const decodeHeader = Schema.decodeUnknownOption(Header, { onExcessProperty: "error" })

/** The key that a token says it was signed with; none for what is no access token of a session. */
export const keyIdOf = (token: Redacted.Redacted): Option.Option<string> => {
  const text = Redacted.value(token)
  if (text.length > mostCharacters || !text.startsWith("ey")) return Option.none()
  return Option.liftThrowable(() => decodeProtectedHeader(text))().pipe(
    Option.flatMap(decodeHeader),
    Option.map(({ kid }) => kid)
  )
}

const seconds = (moment: DateTime.DateTime) => Math.floor(DateTime.toEpochMillis(moment) / 1000)

export const signAccessToken = Effect.fnUntraced(function* (
  { bytes, id: kid }: KeyBytes,
  { id, session, user }: Claims & { readonly id: string }
) {
  const issuedAt = seconds(yield* DateTime.now)
  const jwt = new SignJWT({ sid: session })
    .setProtectedHeader({ alg: algorithm, typ: type, kid })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject(user)
    .setJti(id)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + accessTokenSeconds)
  return Redacted.make(yield* Effect.promise(() => jwt.sign(bytes)))
})

/** None for a token that is over, not ours, or not for us. */
export const verifyAccessToken = Effect.fnUntraced(function* (bytes: Uint8Array, token: Redacted.Redacted) {
  const currentDate = DateTime.toDateUtc(yield* DateTime.now)
  const verified = yield* Effect.option(
    Effect.tryPromise(() =>
      jwtVerify(Redacted.value(token), bytes, {
        algorithms: [algorithm],
        typ: type,
        issuer,
        audience,
        requiredClaims: ["exp", "iat", "sub", "sid"],
        maxTokenAge: accessTokenSeconds,
        currentDate
      })
    )
  )
  return Option.flatMap(verified, ({ payload }) =>
    Option.map(decodeClaims(payload), ({ sid, sub }): Claims => ({ user: sub, session: sid }))
  )
})
