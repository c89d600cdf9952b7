/**
 * From rows to values. The rows are this program's own, so they are parsed and not checked against schemas, which would
 * cost more than the query; one that can't be parsed is a defect that names its table.
 */
import { Data, Effect } from "effect"

export class DamagedRow extends Data.Error<{ readonly table: string; readonly cause: unknown }> {
  override get message() {
    return `The table ${this.table} holds a row that can't be read. Restore a backup, or remove the row.`
  }
}

export const decoding = <A>(table: string, decode: () => A): Effect.Effect<A> =>
  Effect.orDie(Effect.try({ try: decode, catch: (cause) => new DamagedRow({ table, cause }) }))
