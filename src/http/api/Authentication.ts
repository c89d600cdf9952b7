/**
 * Who may use the routes.
 *
 * Owns: the name of the middleware that every route of a user stands behind, and what handlers learn from it.
 * Does not own: how a token is checked (`http/authentication.ts`).
 */
import { HttpApiMiddleware, HttpApiSecurity, OpenApi } from "@effect/platform"
import { Context } from "effect"
import type { Principal } from "../../services/Accounts.ts"
import { problems } from "./Problem.ts"

export class CurrentPrincipal extends Context.Tag("errand/http/CurrentPrincipal")<CurrentPrincipal, Principal>() {}

export class Authentication extends HttpApiMiddleware.Tag<Authentication>()("errand/http/Authentication", {
  failure: problems(401, 403, 429),
  provides: CurrentPrincipal,
  security: {
    bearer: HttpApiSecurity.bearer.pipe(
      HttpApiSecurity.annotate(OpenApi.Description, "An access token, as `errand token create` prints it.")
    )
  }
}) {}
