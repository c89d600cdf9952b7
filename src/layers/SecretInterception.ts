/** The proxy's interception for the hosts of secrets: nothing is intercepted for a task that names none. */
import { Clock, Effect, Layer, Option } from "effect"
import { Interception } from "./egress/Interception.ts"
import { interceptorFor } from "./interception/secretsOf.ts"

/** `roots`: certificates in PEM that hosts are checked against, instead of those that the server trusts anyway. */
export const layerWith = (roots?: ReadonlyArray<string>): Layer.Layer<never> =>
  Layer.succeed(Interception, {
    of: ({ run, secrets = [], taskId }) =>
      secrets.length === 0
        ? Effect.succeedNone
        : Effect.map(Clock.currentTimeMillis, (now) =>
            Option.some(interceptorFor(secrets, `Errand, run ${run} of ${taskId}`, now, roots))
          )
  })

export const layer = layerWith()
