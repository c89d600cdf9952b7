/**
 * From a grant of the forge to a user of this server.
 *
 * Owns: who may come in, keeping what the forge gave, waking the tasks that waited for it.
 * Does not own: the conversation with the forge (`ForgeSignIn`), the session that follows.
 */
import { Effect, Option } from "effect"
import { Accounts, type User, type UserRole } from "../../services/Accounts.ts"
import { AppConfig, type GitHubSettings } from "../../services/AppConfig.ts"
import { type ForgeProfile, ForgeSignIn } from "../../services/ForgeSignIn.ts"
import { type ForgeGrant, ForgeTokens } from "../../services/ForgeTokens.ts"
import { Problem } from "../api/Problem.ts"
import { resumeAfterSignIn } from "../resumeAfterSignIn.ts"

/** The first login of the setting is the owner, as long as there is none. */
export const admissionOf = (
  { login, organizations }: Pick<ForgeProfile, "login" | "organizations">,
  { allowedLogins }: Pick<GitHubSettings, "allowedLogins">,
  users: ReadonlyArray<Pick<User, "role">>
): Option.Option<UserRole> => {
  const name = login.toLowerCase()
  const isNamed = allowedLogins.users.includes(name)
  const isMember = allowedLogins.organizations.some((organization) => organizations.includes(organization))
  if (!isNamed && !isMember) return Option.none()
  const hasOwner = users.some(({ role }) => role === "owner")
  return Option.some(!hasOwner && name === allowedLogins.users[0] ? "owner" : "member")
}

const refusal = (login: string) =>
  Problem.of(
    "sign_in_refused",
    `${login} may not sign in here. An owner can invite them, or the operator name them in ERRAND_ALLOWED_LOGINS.`
  )

export const makeWelcome = Effect.gen(function* () {
  const accounts = yield* Accounts
  const forge = yield* ForgeSignIn
  const tokens = yield* ForgeTokens
  const { github } = yield* AppConfig
  const resume = yield* resumeAfterSignIn

  return Effect.fnUntraced(function* (grant: ForgeGrant) {
    const profile = yield* forge.whoIs(grant.token)
    const admission = admissionOf(profile, github, yield* accounts.users)
    const user = yield* accounts.arrive(profile, admission)
    if (Option.isNone(user)) return yield* refusal(profile.login)
    yield* tokens.put(user.value.id, profile.host, grant)
    yield* resume(user.value.id, profile.host)
    yield* Effect.logInfo("Somebody signed in with GitHub.", { login: user.value.login })
    return user.value
  })
})
