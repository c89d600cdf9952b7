/**
 * The address that a request comes from.
 *
 * Proxies add to `X-Forwarded-For` from the left to the right, so only as many entries count, from the right, as there
 * are proxies that the operator trusts; what stands before them anybody can have written.
 */
import { isIP } from "node:net"
import { HttpServerRequest } from "@effect/platform"
import { Effect, Option } from "effect"
import { AppConfig } from "../services/AppConfig.ts"

const mapped = /^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i

export const addressOf = (
  remote: Option.Option<string>,
  forwarded: string | undefined,
  trustedHops: number
): string => {
  const own = Option.getOrElse(remote, () => "").replace(mapped, "")
  if (trustedHops === 0) return own
  const entries = (forwarded ?? "").split(",").map((entry) => entry.trim().replace(mapped, ""))
  const entry = entries.at(-trustedHops) ?? ""
  return isIP(entry) === 0 ? own : entry
}

export const makeClientAddress = Effect.map(AppConfig, ({ trustedProxyHops }) =>
  Effect.map(HttpServerRequest.HttpServerRequest, ({ headers, remoteAddress }) =>
    addressOf(remoteAddress, headers["x-forwarded-for"], trustedProxyHops)
  )
)
