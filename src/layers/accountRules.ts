/** What every adapter of Accounts agrees on. */
import { Duration, Effect } from "effect"
import { LoginRefused } from "../services/Accounts.ts"

/** The grammar of GitHub, so that a login means the same person when sign-in there is added. */
const login = /^(?=.{1,39}$)[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*$/

export const checkLogin = (text: string): Effect.Effect<void, LoginRefused> =>
  login.test(text) ? Effect.void : new LoginRefused({ login: text })

/** A device is seen at most once in this time: more would be a write for every request. */
export const seenEvery = Duration.minutes(1)
