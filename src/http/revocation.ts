/**
 * The end of a token's validity, for connections that outlive the request that opened them.
 */
import { Effect, Option, type Redacted, Schedule } from "effect"
import { Accounts } from "../services/Accounts.ts"

/** A revoked device's streams end within five seconds: this leaves one for the answer. */
export const recheckEvery = "4 seconds"

/** Ends when the token no longer stands for anybody. */
export const makeRevocation = Effect.map(
  Accounts,
  (accounts) =>
    (token: Option.Option<Redacted.Redacted>): Effect.Effect<void> =>
      Option.match(token, {
        onNone: () => Effect.void,
        onSome: (value) =>
          accounts
            .authenticate(value)
            .pipe(Effect.repeat({ schedule: Schedule.spaced(recheckEvery), until: Option.isNone }), Effect.asVoid)
      })
)
