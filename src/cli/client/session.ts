/**
 * The session that `errand login` began, renewed as it is used.
 *
 * A refresh token is good once. So only one process renews at a time, the others take what it got, and the next token
 * is stored before anything is done with it.
 *
 * Owns: when to renew, and what it means that it can't be.
 * Does not own: the file (`SessionFile.ts`).
 */
import { Clock, Duration, Effect, Option, Redacted, Ref } from "effect"
import { anonymous } from "./anonymous.ts"
import { type Connection, ServerSilent, SessionOver } from "./Connection.ts"
import { make as makeSessionFile, savedSession, type SavedSession } from "./SessionFile.ts"

/** An access token that ends so soon might be over when the server reads it. */
const margin = Duration.toMillis("30 seconds")

/** Whoever waits for the lock waits for this. */
const longestRequest = Duration.seconds(20)

const isOver = (problem: { readonly code: string }) => problem.code === "session_ended"

const isSame = (one: Redacted.Redacted, other: Redacted.Redacted) => Redacted.value(one) === Redacted.value(other)

/** The session at this server; none when nobody has signed in there. */
export const sessionAt = Effect.fn("sessionAt")(function* (server: string) {
  const file = yield* makeSessionFile
  const client = yield* anonymous(server)
  const shown = yield* Ref.make<Option.Option<Redacted.Redacted>>(Option.none())

  const over = new SessionOver({ server })
  const find = Effect.flatMap(
    file.find(server),
    Effect.mapError(() => over)
  )

  /** Not to be given up once it is sent: its answer is what the session goes on with. */
  const refresh = Effect.fnUntraced(function* ({ refreshToken }: SavedSession) {
    const answer = yield* client.auth.refresh({ payload: { refreshToken } }).pipe(
      Effect.interruptible,
      Effect.timeoutFail({ duration: longestRequest, onTimeout: () => new ServerSilent({ server }) }),
      Effect.catchIf(
        (error) => error._tag === "Problem" && isOver(error),
        () => Effect.zipRight(file.remove(server), over)
      )
    )
    const session = savedSession(answer, yield* Clock.currentTimeMillis)
    yield* file.put(server, session)
    return session
  }, Effect.uninterruptible)

  /** The token that comes after this one; another process may have got it already. */
  const after = (last: Redacted.Redacted) =>
    file.alone(
      Effect.flatMap(find, (saved) => (isSame(saved.accessToken, last) ? refresh(saved) : Effect.succeed(saved)))
    )

  const token = Effect.gen(function* () {
    const saved = yield* find
    const left = saved.accessTokenEndsAt - (yield* Clock.currentTimeMillis)
    const { accessToken } = left > margin ? saved : yield* after(saved.accessToken)
    yield* Ref.set(shown, Option.some(accessToken))
    return accessToken
  })

  const renew = Effect.gen(function* () {
    const last = yield* Ref.get(shown)
    if (Option.isSome(last)) yield* after(last.value)
    return Option.isSome(last)
  })

  const self: Connection = { server, token, renew }
  return Option.as(yield* file.find(server), self)
})
