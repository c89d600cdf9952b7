/**
 * A Docker engine through dockerode, as effects: typed errors, and no call without an end.
 */
import Docker from "dockerode"
import { Duration, Effect, Option, Predicate, Schema } from "effect"
import { SandboxUnavailable } from "../services/Sandbox.ts"

/** The engine said no (`status`), or did not answer (no `status`). */
export class EngineError extends Schema.TaggedError<EngineError>()("EngineError", {
  status: Schema.NullOr(Schema.Int),
  /** Name of an errno, or TIMEOUT. */
  code: Schema.NullOr(Schema.String),
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

const unreached = ["ECONNREFUSED", "ENOENT", "EACCES", "ENOTFOUND", "EHOSTUNREACH"]

/** True when the request changed nothing: the engine refused it, or never got it. */
export const isCertain = ({ code, status }: EngineError): boolean =>
  status !== null || (code !== null && unreached.includes(code))

export interface Engine {
  readonly docker: Docker
  /** The same engine for short questions, which dockerode can't abort: it gives them up by itself. */
  readonly probe: Docker
  /** Where it is, for people. */
  readonly place: string
}

const usualPlace = "/var/run/docker.sock"

/** `address` as in DOCKER_HOST; what it leaves open, TLS for one, comes from Docker's own variables. */
export const connect = (address: Option.Option<string>): Engine =>
  Option.match(address, {
    onNone: () => clients({}, usualPlace),
    onSome: (place) => clients(connection(new URL(place)), place)
  })

const probeMs = 2_000

const clients = (options: Docker.DockerOptions, place: string): Engine => ({
  docker: new Docker(options),
  probe: new Docker({ ...options, timeout: probeMs }),
  place
})

const connection = (url: URL): Docker.DockerOptions =>
  url.protocol === "unix:"
    ? { socketPath: url.pathname, host: "" }
    : {
        host: url.hostname,
        port: url.port === "" ? "2375" : url.port,
        ...(url.protocol === "https:" ? { protocol: "https" as const } : {})
      }

const textOf = (value: unknown) => (typeof value === "string" ? value : null)

const asEngineError = (error: unknown): EngineError =>
  new EngineError({
    status:
      Predicate.hasProperty(error, "statusCode") && Number.isInteger(error.statusCode)
        ? Number(error.statusCode)
        : null,
    code: Predicate.hasProperty(error, "code") ? textOf(error.code) : null,
    detail: error instanceof Error ? error.message.trim() : String(error)
  })

/** One request: aborted when interrupted, and when it takes longer than `limit`. */
export const call = <A>(
  limit: Duration.DurationInput,
  request: (abortSignal: AbortSignal) => Promise<A>
): Effect.Effect<A, EngineError> =>
  Effect.tryPromise({ try: request, catch: asEngineError }).pipe(
    // Inside an acquisition, too, the time limit ends the request.
    Effect.interruptible,
    Effect.timeoutFail({
      duration: limit,
      onTimeout: () =>
        new EngineError({ status: null, code: "TIMEOUT", detail: `no answer within ${Duration.format(limit)}` })
    })
  )

/** An engine that is being stopped answers for a moment longer, without what it needs. */
const goingDown =
  /database not open|shutting down|transport is closing|containerd: (?:deadline|connection)|context canceled/i

/** What a failure of the engine means to who wants a sandbox, with a remedy. */
export const unavailable = (engine: Engine, image: string, error: EngineError): SandboxUnavailable => {
  if (error.code === "EACCES") {
    return new SandboxUnavailable({
      reason: "engine",
      detail: `This user may not use the Docker engine at ${engine.place}: add it to the group "docker", or name another engine in DOCKER_HOST.`
    })
  }
  if (error.status === null) {
    return new SandboxUnavailable({
      reason: "engine",
      detail: `No Docker engine answers at ${engine.place} (${error.detail}): start it, or name another one in DOCKER_HOST.`
    })
  }
  if (error.status === 404 && /image/i.test(error.detail)) return imageMissing(image)
  if (/python3.*(not found|no such file)/i.test(error.detail)) {
    return new SandboxUnavailable({
      reason: "image",
      detail: `The image ${image} has no python3, which every sandbox needs: add it, or start FROM errand-sandbox.`
    })
  }
  const unknownRuntime = /unknown (?:or invalid )?runtime(?: name| specified)?:? "?([^\s"]+)/i.exec(error.detail)?.[1]
  if (unknownRuntime !== undefined) return runtimeMissing(engine, unknownRuntime)
  if (error.status >= 500 && goingDown.test(error.detail)) {
    return new SandboxUnavailable({
      reason: "engine",
      detail: `The Docker engine at ${engine.place} is going down: ${error.detail}`
    })
  }
  return new SandboxUnavailable({
    reason: "refused",
    detail: `The Docker engine at ${engine.place} refused to make a sandbox: ${error.detail}`
  })
}

export const imageMissing = (image: string) =>
  new SandboxUnavailable({
    reason: "image",
    detail: `The image ${image} is missing: build it with "docker build -t ${image} src/sandbox/image", or name another in ERRAND_SANDBOX_IMAGE.`
  })

export const runtimeMissing = (engine: Engine, runtime: string) =>
  new SandboxUnavailable({
    reason: "engine",
    detail: `The Docker engine at ${engine.place} has no runtime "${runtime}", and no other stands in for it: register it there ("runtimes" in /etc/docker/daemon.json), or correct ERRAND_SANDBOX_RUNTIME.`
  })
