/**
 * What somebody who is signed in does for another device, and the end of their own session.
 */
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { Pairing } from "../../services/Pairings.ts"
import { line } from "../../services/text.ts"
import { Authentication } from "./Authentication.ts"
import { pairingId } from "./params.ts"
import { problems } from "./Problem.ts"

/** Owners may pair a device of somebody else. */
export const NewPairing = Schema.Struct({ login: Schema.optionalWith(line(39), { exact: true }) }).annotations({
  identifier: "NewPairing"
})

export const PairingNumber = Schema.Struct({ number: Schema.Int.pipe(Schema.between(10, 99)) }).annotations({
  identifier: "PairingNumber"
})

const NewPairingView = Schema.Struct({
  ...Pairing.fields,
  /** For one device, once. */
  code: Schema.String,
  /** Opens the pairing page with the code. */
  url: Schema.String
}).annotations({ identifier: "NewPairingView" })

const open = HttpApiEndpoint.post("open", "/auth/pair")
  .setPayload(NewPairing)
  .addSuccess(NewPairingView, { status: 201 })
  .addError(problems(403, 404, 413, 415, 422, 429, 507))
  .annotate(OpenApi.Identifier, "openPairing")
  .annotate(OpenApi.Summary, "A code with which a new device signs in; ten minutes, five tries.")

const show = HttpApiEndpoint.get("show")`/auth/pair/${pairingId}`
  .addSuccess(Pairing)
  .addError(problems(404))
  .annotate(OpenApi.Identifier, "getPairing")
  .annotate(OpenApi.Summary, "Whether a device has shown the code, and which.")

const confirm = HttpApiEndpoint.post("confirm")`/auth/pair/${pairingId}/confirm`
  .setPayload(PairingNumber)
  .addSuccess(Pairing)
  .addError(problems(404, 409, 413, 415, 422, 507))
  .annotate(OpenApi.Identifier, "confirmPairing")
  .annotate(OpenApi.Summary, "Lets the device in that shows this number.")

const refuse = HttpApiEndpoint.del("refuse")`/auth/pair/${pairingId}`
  .addSuccess(HttpApiSchema.NoContent)
  .addError(problems(404, 507))
  .annotate(OpenApi.Identifier, "refusePairing")
  .annotate(OpenApi.Summary, "Ends a pairing that is not confirmed.")

const logout = HttpApiEndpoint.post("logout", "/auth/logout")
  .addSuccess(HttpApiSchema.NoContent)
  .addError(problems(413, 415, 422, 507))
  .annotate(OpenApi.Identifier, "logout")
  .annotate(OpenApi.Summary, "Ends the session or token that asks, and its open streams.")

export class PairingApi extends HttpApiGroup.make("pairing")
  .add(open)
  .add(show)
  .add(confirm)
  .add(refuse)
  .add(logout)
  .middleware(Authentication)
  .prefix("/api/v1") {}
