/** The line of work that a task is on, with those that it comes from. */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { TaskId } from "../../../services/Ids.ts"

/** What stands in for "up to now". */
const all = "9223372036854775807"

/**
 * The table `path` of a `WITH RECURSIVE`: the present line and those before it, each with the positions up to which its
 * messages and checkpoints still count.
 */
export const presentLine = (sql: SqlClient, id: TaskId) => sql`
  path (line, messages, checkpoints) AS (
    SELECT line, ${sql.literal(all)}, ${sql.literal(all)} FROM tasks WHERE id = ${id}
    UNION ALL
    SELECT lines.parent, min(lines.messages, path.messages), min(lines.checkpoints, path.checkpoints)
    FROM path JOIN lines ON lines.task_id = ${id} AND lines.number = path.line
  )`
