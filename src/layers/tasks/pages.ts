/** Pages by key: a page goes on after the last item of the one before, however many items came or went meanwhile. */
import { Encoding, Option } from "effect"
import type { Page, PageRequest } from "../../services/TaskRepo.ts"

/** The key that a cursor stands for; none for a first page. A forged cursor is the key of nothing. */
export const keyOf = (page: PageRequest): Option.Option<string> =>
  Option.map(page.cursor, (cursor) =>
    Option.getOrElse(Option.getRight(Encoding.decodeBase64UrlString(cursor)), () => "")
  )

/** For lists in the order of a number, which `NaN`, like any forged cursor, has nothing after. */
export const positionOf = (page: PageRequest, first: number): number =>
  Option.match(keyOf(page), { onNone: () => first, onSome: (key) => (key === "" ? Number.NaN : Number(key)) })

/** Cuts what was read down to the page: read one item more than its limit, so that it shows whether there are others. */
export const toPage = <Row, A>(
  rows: ReadonlyArray<Row>,
  { limit }: PageRequest,
  key: (row: Row) => string | number,
  decode: (row: Row) => A
): Page<A> => {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  return {
    items: shown.map(decode),
    nextCursor: rows.length > limit && last !== undefined ? Encoding.encodeBase64Url(String(key(last))) : null
  }
}
