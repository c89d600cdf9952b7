/** Lists read to their end. */
import { Effect, Option } from "effect"
import type { Page, PageRequest } from "../../src/services/TaskRepo.ts"

export const wholePage: PageRequest = { limit: 100, cursor: Option.none() }

/** Every page of a list, until there is none. */
export const pagesOf = Effect.fnUntraced(function* <A, E, R>(
  limit: number,
  read: (page: PageRequest) => Effect.Effect<Page<A>, E, R>
) {
  const pages: Array<ReadonlyArray<A>> = []
  let cursor = Option.none<string>()
  do {
    const { items, nextCursor } = yield* read({ limit, cursor })
    pages.push(items)
    cursor = Option.fromNullable(nextCursor)
  } while (Option.isSome(cursor))
  return pages
})

export const sizes = (pages: ReadonlyArray<ReadonlyArray<unknown>>) => pages.map((page) => page.length)
