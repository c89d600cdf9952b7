/**
 * The people on this server, for its owners.
 */
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { User, UserRole } from "../../services/Accounts.ts"
import { line } from "../../services/text.ts"
import { Authentication } from "./Authentication.ts"
import { page } from "./Page.ts"
import { userId } from "./params.ts"
import { problems } from "./Problem.ts"

/** A member unless said otherwise. */
export const NewUser = Schema.Struct({
  login: line(39),
  role: Schema.optionalWith(UserRole, { exact: true, default: () => "member" as const })
}).annotations({ identifier: "NewUser" })

const list = HttpApiEndpoint.get("list", "/users")
  .addSuccess(page(User).annotations({ identifier: "UserPage" }))
  .addError(problems(403))
  .annotate(OpenApi.Identifier, "listUsers")
  .annotate(OpenApi.Summary, "Everybody who may sign in.")

const invite = HttpApiEndpoint.post("invite", "/users")
  .setPayload(NewUser)
  .addSuccess(User, { status: 201 })
  .addError(problems(400, 403, 409, 413, 415, 422, 507))
  .annotate(OpenApi.Identifier, "inviteUser")
  .annotate(
    OpenApi.Summary,
    "Lets a login sign in, with GitHub or by pairing; for one that may already, sets the role."
  )

const remove = HttpApiEndpoint.del("remove")`/users/${userId}`
  .addSuccess(HttpApiSchema.NoContent)
  .addError(problems(403, 404, 409, 507))
  .annotate(OpenApi.Identifier, "removeUser")
  .annotate(
    OpenApi.Summary,
    "Ends their devices, tokens, sign-ins, schedules and unfinished tasks; what is done stays."
  )

export class UsersApi extends HttpApiGroup.make("users")
  .add(list)
  .add(invite)
  .add(remove)
  .middleware(Authentication)
  .prefix("/api/v1") {}
