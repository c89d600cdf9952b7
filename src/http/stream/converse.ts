/**
 * The conversation with one client of the stream, from its first frame to its last.
 *
 * Owns: what each frame of a client means, signing in, what is refused.
 * Does not own: subscriptions (`subscriptions.ts`), the handshake (`route.ts`).
 */
import { Effect, Either, Option, type Redacted, Schema } from "effect"
import { Sessions } from "../../services/Sessions.ts"
import { ClientFrame } from "../api/StreamFrames.ts"
import { protocol, version } from "../api/version.ts"
import { faults, sentence } from "../faults.ts"
import { closeCodes, type Connection } from "./Connection.ts"
import { drained } from "./drained.ts"
import { Frame } from "./Frame.ts"
import type { Heard, Hearing } from "./hearing.ts"
import { heartbeatSeconds, Hub } from "./Hub.ts"
import { makeSubscriptions, mostSubscriptions, type Refusal } from "./subscriptions.ts"

export const frameBytes = 64 * 1024
const authenticateSeconds = 5
const mostFaults = 100

const hello = Frame.of({
  type: "hello",
  protocol,
  version,
  heartbeatSeconds,
  limits: { authenticateSeconds, frameBytes, subscriptions: mostSubscriptions }
})

const decode = Schema.decodeUnknownEither(ClientFrame)

const parse = (text: string): Either.Either<unknown, unknown> => Either.try((): unknown => JSON.parse(text))

export const makeConverse = Effect.gen(function* () {
  const sessions = yield* Sessions
  const hub = yield* Hub
  const makeOwn = yield* makeSubscriptions

  return (connection: Connection, hearing: Hearing) =>
    Effect.gen(function* () {
      const { outbox } = connection
      let faultCount = 0

      const refuse = ({ code, message }: Refusal, stream?: string) => {
        outbox.push(Frame.of({ type: "error", ...(stream === undefined ? {} : { stream }), code, message }))
        faultCount++
        if (faultCount >= mostFaults) connection.close(closeCodes.policy, "too many faulty frames")
      }

      const turnAway = (message: string) => {
        refuse({ code: "unauthenticated", message })
        connection.close(closeCodes.unauthenticated, "unauthenticated")
      }

      const turnAwayForNow = () => {
        refuse({ code: "too_many_connections", message: "Too many of your streams are open." })
        connection.close(closeCodes.tryAgainLater, "too many streams")
      }

      const own = yield* makeOwn(connection, {
        refuse,
        onGap: (name) => hearing.add({ _tag: "Gap", name })
      })

      /** A signed-in client may bring a new token, of the same user. */
      const signIn = (token: Redacted.Redacted) =>
        Effect.map(sessions.authenticate(token), (principal) => {
          const before = Option.map(connection.principal, ({ user }) => user.id)
          const accepted = Option.filter(principal, ({ user }) => Option.getOrElse(before, () => user.id) === user.id)
          if (Option.isNone(accepted)) return turnAway("This token is unknown or revoked.")
          if (Option.isNone(before) && !hub.hasRoom(accepted, connection.address)) return turnAwayForNow()
          connection.principal = accepted
          outbox.push(Frame.of({ type: "authenticated", user: accepted.value.user }))
        })

      const obey = (said: ClientFrame): Effect.Effect<void> => {
        if (said.type === "authenticate") return signIn(said.token)
        if (Option.isNone(connection.principal)) {
          return Effect.sync(() => turnAway("The first frame must be `authenticate`."))
        }
        switch (said.type) {
          case "subscribe":
            return own.open(said, connection.principal.value.user.id)
          case "unsubscribe":
            return own.close(said.stream)
          case "ping":
            return own.sendHeads
          case "visibility":
            return Effect.sync(() => {
              connection.visible = said.visible
            })
        }
      }

      const invalid = (message: string) => Effect.sync(() => refuse({ code: "invalid_frame", message }))

      const understand = (json: unknown): Effect.Effect<void> =>
        Either.match(decode(json), {
          onLeft: ({ issue }) => invalid(sentence(faults(issue))),
          onRight: obey
        })

      const hear = (one: Heard): Effect.Effect<void> => {
        if (!connection.isOpen) return Effect.void
        if (one._tag === "Gap") return own.readAgain(one.name)
        if (one._tag === "Binary") return invalid("Frames are text.")
        return Either.match(parse(one.text), {
          onLeft: () => invalid("A frame is a JSON object, or an array of them."),
          onRight: (json) =>
            Array.isArray(json) ? Effect.forEach(json, understand, { discard: true }) : understand(json)
        })
      }

      outbox.push(hello)
      if (Option.isNone(connection.principal)) {
        const signedIn = Effect.flatMap(hearing.next, hear).pipe(
          Effect.repeat({ until: () => Option.isSome(connection.principal) }),
          Effect.timeoutOption(`${authenticateSeconds} seconds`)
        )
        if (Option.isNone(yield* signedIn)) return turnAway("Nobody signed in.")
      }
      // A client that does not take its answers is not asked for more questions.
      return yield* Effect.forever(Effect.zipRight(drained(outbox), Effect.flatMap(hearing.next, hear)))
    })
})
