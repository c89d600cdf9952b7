/**
 * How programs in a sandbox find the placeholders of secrets, and come to believe the authority of their run.
 *
 * Owns: the variables and the files that ordinary clients read.
 * Does not own: what a placeholder becomes on its way out (`layers/interception/`).
 */
import { Effect } from "effect"
import type { SecretsInside } from "../services/Egress.ts"
import { type SandboxHandle, SandboxUnavailable } from "../services/Sandbox.ts"

const directory = "/home/agent/.config/errand"
const authority = `${directory}/authority.pem`
/** The authority beside those of the system: most programs read one file and no other. */
const all = `${directory}/authorities.pem`

const believing: Readonly<Record<string, string>> = {
  NODE_EXTRA_CA_CERTS: authority,
  SSL_CERT_FILE: all,
  CURL_CA_BUNDLE: all,
  REQUESTS_CA_BUNDLE: all,
  PIP_CERT: all,
  GIT_SSL_CAINFO: all,
  CARGO_HTTP_CAINFO: all,
  AWS_CA_BUNDLE: all
}

export const secretEnvironment = (secrets: SecretsInside | null = null): ReadonlyArray<string> =>
  secrets === null
    ? []
    : Object.entries({ ...secrets.variables, ...believing }).map(([name, value]) => `${name}=${value}`)

/** What the image trusts stays trusted; an image without authorities has this one. */
const script = `mkdir -p ${directory} && cat >${authority} && cat /etc/ssl/certs/ca-certificates.crt ${authority} 2>/dev/null >${all}; test -s ${all}`

/** Before any other command: programs read these files when they start. */
export const trust = (run: SandboxHandle["run"], secrets: SecretsInside): Effect.Effect<void, SandboxUnavailable> =>
  run({
    argv: ["sh", "-c", script],
    stdin: Buffer.from(secrets.authority),
    timeoutMs: 10_000,
    outputLimit: 1_024
  }).pipe(
    Effect.catchTag("SandboxLost", ({ detail }) => new SandboxUnavailable({ reason: "engine", detail })),
    Effect.filterOrFail(
      ({ exitCode }) => exitCode === 0,
      ({ output }) =>
        new SandboxUnavailable({ reason: "refused", detail: `The authority of secrets can't be stored: ${output}` })
    ),
    Effect.asVoid
  )
