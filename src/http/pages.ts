/**
 * Pages that stay small in bytes, whatever their items hold.
 */
import { Effect, Option } from "effect"
import type { Page, PageRequest } from "../services/TaskRepo.ts"

const mostBytes = 2 * 1024 * 1024

/** How many of the first items fit; at least one, so that every page makes progress. */
const fitting = <A>(items: ReadonlyArray<A>, size: (item: A) => number): number => {
  let bytes = 0
  const tooMany = items.findIndex((item) => (bytes += size(item)) > mostBytes)
  return tooMany === -1 ? items.length : Math.max(tooMany, 1)
}

/** Asks again for fewer items when the page is too large: only the store can say where the shorter one ends. */
export const boundedPage = <A, E, R>(
  request: PageRequest,
  size: (item: A) => number,
  fetch: (request: PageRequest) => Effect.Effect<Page<A>, E, R>
): Effect.Effect<Page<A>, E, R> =>
  Effect.flatMap(fetch(request), (page) => {
    const limit = fitting(page.items, size)
    return limit === page.items.length ? Effect.succeed(page) : fetch({ ...request, limit })
  })

export const pageRequest = (
  params: { readonly limit: number; readonly cursor?: string | undefined },
  most = params.limit
): PageRequest => ({ limit: Math.min(params.limit, most), cursor: Option.fromNullable(params.cursor) })
