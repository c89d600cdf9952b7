/**
 * How much one user, and one address, may ask for.
 *
 * Owns: counting requests in a minute, attempts to sign in, and open streams; refusing with the time to wait.
 * Does not own: whose address it is (`clientAddress.ts`), limits of bytes and time (`listener.ts`, `requestBody.ts`).
 *
 * Programs on the server's own machine are not counted by address: whoever runs there can do more than ask.
 */
import { HttpServerRequest } from "@effect/platform"
import { Context, Effect, Layer, Option } from "effect"
import ipaddr from "ipaddr.js"
import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible"
import { AppConfig } from "../services/AppConfig.ts"
import type { UserId } from "../services/Ids.ts"
import { Problem } from "./api/Problem.ts"
import { makeClientAddress } from "./clientAddress.ts"
import { isDirectFromLoopback } from "./hostGuard.ts"

/** In a minute. A person needs a few; whoever guesses codes needs millions. */
const attemptsToSignIn = 30

/** A household has a network of its own, with more addresses than can be counted. */
const keyOf = (address: string) => {
  const isNetwork = ipaddr.IPv6.isValid(address)
  return isNetwork ? ipaddr.IPv6.parse(address).toNormalizedString().split(":").slice(0, 4).join(":") : address
}

const tooMany = (seconds: number) =>
  Problem.of("too_many_requests", `Ask again in ${seconds} s, and less often.`, {
    headers: { "retry-after": String(seconds) }
  })

const isLimit = (error: unknown): error is RateLimiterRes => error instanceof RateLimiterRes

const consume = (limiter: RateLimiterMemory, key: string): Effect.Effect<void, Problem> =>
  // @effect-diagnostics-next-line anyUnknownInErrorContext:off unknownInEffectCatch:off -- what it rejects with is looked at right after
  Effect.tryPromise({ try: () => limiter.consume(key), catch: (error) => error }).pipe(
    Effect.catchAll((error) =>
      isLimit(error) ? tooMany(Math.max(1, Math.ceil(error.msBeforeNext / 1000))) : Effect.die(error)
    ),
    Effect.asVoid
  )

const signInPath = /^\/api\/v1\/auth\//

/** As the router reads it: without a host and a query, and with `%61` for what it stands for. */
const isSignIn = (url: string): boolean => {
  const [path = ""] = url.replace(/^https?:\/\/[^/]*/, "").split(/[?;#]/, 1)
  return Option.exists(Option.liftThrowable(decodeURI)(path), (read) => signInPath.test(read))
}

export class Limits extends Context.Tag("errand/http/Limits")<
  Limits,
  {
    /** Counts a request of an address, before anybody knows who asks. */
    readonly address: Effect.Effect<void, Problem, HttpServerRequest.HttpServerRequest>
    readonly user: (id: UserId) => Effect.Effect<void, Problem>
  }
>() {}

const perMinute = (points: number) => new RateLimiterMemory({ points, duration: 60 })

export const layer = Layer.effect(
  Limits,
  Effect.gen(function* () {
    const { perUser } = yield* AppConfig
    const clientAddress = yield* makeClientAddress
    const users = perMinute(perUser.requestsPerMinute)
    const addresses = perMinute(perUser.requestsPerMinute)
    const signIns = perMinute(attemptsToSignIn)

    return Limits.of({
      address: Effect.gen(function* () {
        const { headers, remoteAddress, url } = yield* HttpServerRequest.HttpServerRequest
        if (isDirectFromLoopback(remoteAddress, headers)) return
        const key = keyOf(yield* clientAddress)
        yield* consume(addresses, key)
        if (isSignIn(url)) yield* consume(signIns, key)
      }),
      user: (id) => consume(users, id)
    })
  })
)
