/**
 * The user who asks: account, devices, credentials for git hosts.
 */
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { Device, TokenScope, User } from "../../services/Accounts.ts"
import { StoredCredential } from "../../services/GitCredentials.ts"
import { DeviceId } from "../../services/Ids.ts"
import { Authentication } from "./Authentication.ts"
import { page } from "./Page.ts"
import { deviceId, host } from "./params.ts"
import { problems } from "./Problem.ts"
import { NewCredential } from "./requests.ts"

const Me = Schema.Struct({ ...User.fields, deviceId: DeviceId, scopes: Schema.Array(TokenScope) }).annotations({
  identifier: "Me"
})

/** `current`: the device that asks. */
const DeviceView = Schema.Struct({ ...Device.fields, current: Schema.Boolean }).annotations({
  identifier: "DeviceView"
})

const me = HttpApiEndpoint.get("me", "/me")
  .addSuccess(Me)
  .annotate(OpenApi.Identifier, "getMe")
  .annotate(OpenApi.Summary, "The account that asks.")

const devices = HttpApiEndpoint.get("devices", "/devices")
  .addSuccess(page(DeviceView).annotations({ identifier: "DevicePage" }))
  .annotate(OpenApi.Identifier, "listDevices")
  .annotate(OpenApi.Summary, "The devices and tokens of the account.")

const revoke = HttpApiEndpoint.del("revoke")`/devices/${deviceId}`
  .addSuccess(HttpApiSchema.NoContent)
  .addError(problems(404, 507))
  .annotate(OpenApi.Identifier, "revokeDevice")
  .annotate(OpenApi.Summary, "The device's token ends, and its open streams with it.")

const credentials = HttpApiEndpoint.get("credentials", "/git-credentials")
  .addSuccess(page(StoredCredential).annotations({ identifier: "CredentialPage" }))
  .annotate(OpenApi.Identifier, "listGitCredentials")
  .annotate(OpenApi.Summary, "The hosts that have a credential.")

const putCredential = HttpApiEndpoint.put("putCredential")`/git-credentials/${host}`
  .setPayload(NewCredential)
  .addSuccess(HttpApiSchema.NoContent)
  .addError(problems(413, 415, 422, 507))
  .annotate(OpenApi.Identifier, "putGitCredential")
  .annotate(OpenApi.Summary, "For clone from and push to this host. It is stored encrypted and never shown again.")

const removeCredential = HttpApiEndpoint.del("removeCredential")`/git-credentials/${host}`
  .addSuccess(HttpApiSchema.NoContent)
  .addError(problems(404, 507))
  .annotate(OpenApi.Identifier, "deleteGitCredential")
  .annotate(OpenApi.Summary, "Forgets the credential of a host.")

export class AccountApi extends HttpApiGroup.make("account")
  .add(me)
  .add(devices)
  .add(revoke)
  .add(credentials)
  .add(putCredential)
  .add(removeCredential)
  .middleware(Authentication)
  .prefix("/api/v1") {}
