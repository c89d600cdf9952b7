/**
 * What Litestream tells about a database in its metrics, and how far its replica is behind by them.
 *
 * Version 0.3 tells where the replica is in its copy of the log; 0.5 does not, and so no lag is known of it.
 */
import { Option } from "effect"

/** A place in the log: the number of the piece, and bytes in it. */
export interface Position {
  readonly piece: number
  readonly offset: number
}

export interface LitestreamMetrics {
  /** What Litestream has taken over from the database. */
  readonly taken: Option.Option<Position>
  /** What has arrived at the replica that is furthest behind. */
  readonly arrived: Option.Option<Position>
  readonly syncs: number
}

const escaped = (path: string) => path.replace(/\\/g, "\\\\").replace(/"/g, '\\"')

export const isAfter = (a: Position, b: Position): boolean =>
  a.piece > b.piece || (a.piece === b.piece && a.offset > b.offset)

/** None when the metrics tell nothing about this database. */
export const parseMetrics = (text: string, database: string): Option.Option<LitestreamMetrics> => {
  const label = `db="${escaped(database)}"`
  const values = (name: string) =>
    text
      .split("\n")
      .filter((line) => line.startsWith(`${name}{`) && line.includes(label))
      .map((line) => Number(line.slice(line.lastIndexOf(" ") + 1)))
  const positions = (pieces: string, offsets: string): ReadonlyArray<Position> => {
    const at = values(offsets)
    return values(pieces).flatMap((piece, index) => {
      const offset = at[index]
      return offset === undefined ? [] : [{ piece, offset }]
    })
  }
  const [syncs] = values("litestream_sync_count")
  if (syncs === undefined) return Option.none()
  const [taken] = positions("litestream_shadow_wal_index", "litestream_shadow_wal_size")
  const [arrived] = positions("litestream_replica_wal_index", "litestream_replica_wal_offset").toSorted((a, b) =>
    isAfter(a, b) ? 1 : -1
  )
  return Option.some({ taken: Option.fromNullable(taken), arrived: Option.fromNullable(arrived), syncs })
}

interface Sample {
  readonly at: number
  readonly taken: Position
}

/** Samples that are kept: at one a second, a lag of ten minutes is told exactly, and a longer one as at least that. */
const most = 600

/** Turns what is seen now and then into a lag: the age of the oldest sample that has not arrived yet. */
export const makeLag = () => {
  let waiting: ReadonlyArray<Sample> = []
  return (now: number, { arrived, taken }: LitestreamMetrics): Option.Option<number> => {
    if (Option.isNone(arrived) || Option.isNone(taken)) return Option.none()
    const there = arrived.value
    waiting = [...waiting, { at: now, taken: taken.value }]
      .filter((sample) => isAfter(sample.taken, there))
      .slice(0, most)
    return Option.some(waiting[0] === undefined ? 0 : (now - waiting[0].at) / 1000)
  }
}
