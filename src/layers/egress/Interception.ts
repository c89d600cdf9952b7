/**
 * Whoever ends the TLS of some tunnels inside the proxy: the hosts that a secret of the task is bound to, say.
 *
 * Owns: the place where such a thing is put in, and what it gets. By default there is none, and every tunnel is opaque.
 * Does not own: whether a host may be reached; nothing is asked to take a tunnel that the task's policy refuses.
 */
import { Context, Effect, type Option, type Scope } from "effect"
import type { Duplex } from "node:stream"
import type { Socket } from "node:net"
import type { EgressSpec, SecretsInside } from "../../services/Egress.ts"
import type { Refused } from "./Refused.ts"

export interface InterceptedTunnel {
  /** Canonical. */
  readonly host: string
  /** The client's end; it has had its `200` and speaks TLS next. Destroyed when `take` returns. */
  readonly client: Duplex
  /** What the client sent together with its request. */
  readonly head: Buffer
  /** A new TCP connection to port 443 of the host, at an address that was checked; destroyed when the scope closes. */
  readonly dial: Effect.Effect<Socket, Refused, Scope.Scope>
  /** Counts bytes for the task's budgets; false when one is used up: end the tunnel. */
  readonly sent: (bytes: number) => boolean
  readonly received: (bytes: number) => boolean
}

export interface Interceptor {
  readonly wants: (host: string) => boolean
  /** The hosts that it wants: they may be reached whatever the list of the task says. */
  readonly hosts: ReadonlyArray<string>
  readonly inside: SecretsInside
  /** Serves the tunnel to its end; interrupted when the sandbox closes. Fail to have a refusal told and logged. */
  readonly take: (tunnel: InterceptedTunnel) => Effect.Effect<void, Refused, Scope.Scope>
}

export class Interception extends Context.Reference<Interception>()("errand/layers/egress/Interception", {
  defaultValue: (): {
    /** Asked once when the way of a run is opened, in its scope. */
    readonly of: (spec: EgressSpec) => Effect.Effect<Option.Option<Interceptor>, never, Scope.Scope>
  } => ({ of: () => Effect.succeedNone })
}) {}
