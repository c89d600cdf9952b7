/**
 * What must hold after every fault, whatever it was: seen from outside, in the database, the remote, the engine, the
 * files, and in what the Messages API has served.
 *
 * Owns: finding violations of I1 to I8, each told as a sentence.
 * Does not own: the faults, and which of the tasks may have failed.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"
import { readdirSync, readFileSync, statSync } from "node:fs"
import { basename, join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { leftoversOf, tasksInContainers } from "./containers.ts"
import type { Errand } from "./errand.ts"
import { gitText } from "./gitRepository.ts"
import type { RecordedRequest } from "./messagesApi/Conversations.ts"
import { connectTo } from "./otherConnection.ts"
import type Docker from "dockerode"

/** A task as its client knows it. */
export interface Submitted {
  readonly id: string
  /** Stands in no other task's prompt. */
  readonly mark: string
  /** The remote on disk, used by this task alone. */
  readonly repository: string
  /** `git ls-tree -r` of the work when it is done. */
  readonly files: string
}

export interface Circumstances {
  /** Stopped. */
  readonly errand: Errand
  readonly tasks: ReadonlyArray<Submitted>
  readonly requests: ReadonlyArray<RecordedRequest>
  /** Whole answers that may be missing in the books: a server that is killed can't note what it was being told. */
  readonly mayMiss: number
  /** Texts that must stand nowhere in the data directory or in the output. */
  readonly secrets: ReadonlyArray<string>
  readonly docker?: Docker
}

type Sentences = ReadonlyArray<string>

/** Waits, a minute at most, until a server has nothing to do any more: no lease, no container, no volume. */
export const untilIdle = async (errand: Errand, docker?: Docker): Promise<void> => {
  const leases = Effect.scoped(
    Effect.flatMap(connectTo(join(errand.dataDir, "errand.db")), (sql) => sql`SELECT task_id FROM leases`)
  )
  const isIdle = async () =>
    (await Effect.runPromise(leases)).length === 0 &&
    (await tasksInContainers(errand.dataDir, docker)).length === 0 &&
    (await leftoversOf(errand.dataDir, docker)).length === 0
  const deadline = Date.now() + 60_000
  while (!(await isIdle()) && Date.now() < deadline) await sleep(50)
}

const final = ["completed", "failed", "cancelled"]

/** All violations of all invariants. */
export const violations = async (circumstances: Circumstances): Promise<Sentences> => [
  ...(await inDatabase(circumstances)),
  ...(await inEngine(circumstances)),
  ...(await atRemotes(circumstances)),
  ...inFiles(circumstances)
]

interface Row {
  readonly [column: string]: unknown
}

const inDatabase = ({ errand, mayMiss, requests, tasks }: Circumstances): Promise<Sentences> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const sql = yield* connectTo(join(errand.dataDir, "errand.db"))
        const rows = (text: string) => sql.unsafe<Row>(text)
        return [
          ...(yield* ended(sql, tasks)),
          ...(yield* numbered(rows)),
          ...(yield* counted(rows, tasks, requests, mayMiss)),
          ...(yield* sound(rows))
        ]
      })
    )
  )

type Rows = (text: string) => Effect.Effect<ReadonlyArray<Row>, unknown>

/** I1: each accepted task is there once and has one end, and nothing of its work is still open. */
const ended = Effect.fnUntraced(function* (sql: SqlClient, tasks: ReadonlyArray<Submitted>) {
  const found: Array<string> = []
  const all = yield* sql<Row>`SELECT id, status, run_number, prompt FROM tasks`
  if (all.length !== tasks.length) found.push(`I1: ${tasks.length} tasks were accepted, ${all.length} are stored`)
  for (const { id } of tasks) {
    const task = all.find((row) => row["id"] === id)
    if (task === undefined) {
      found.push(`I1: ${id} was accepted and is not there`)
      continue
    }
    if (!final.includes(String(task["status"]))) found.push(`I1: ${id} is ${String(task["status"])}`)
    const stream = `task:${id}`
    const types = (yield* sql<Row>`SELECT type FROM events WHERE stream = ${stream} ORDER BY seq`).map(({ type }) =>
      String(type)
    )
    if (types.at(-1) !== `task.${String(task["status"])}`) found.push(`I1: ${id} ends with ${types.at(-1)}`)
    const ends = types.filter((type) => final.some((status) => type === `task.${status}`)).length
    const retries = types.filter((type, index) => index > 0 && type === "task.queued" && isEnd(types[index - 1])).length
    if (ends !== retries + 1) found.push(`I1: ${id} has ended ${ends} times and was started again ${retries} times`)
    if (types.filter((type) => type === "task.completed").length > 1) found.push(`I1: ${id} was completed twice`)
    const runs = yield* sql<Row>`SELECT number, ended_at FROM runs WHERE task_id = ${id} ORDER BY number`
    if (runs.length !== task["run_number"] || runs.some((run, index) => run["number"] !== index + 1)) {
      found.push(`I1: the runs of ${id} are not 1 to ${String(task["run_number"])}`)
    }
    if (runs.some((run) => run["ended_at"] === null)) found.push(`I1: a run of ${id} never ended`)
  }
  for (const [table, condition] of [
    ["leases", ""],
    ["questions", "WHERE status = 'open'"],
    ["pending_messages", ""]
  ]) {
    const left = yield* sql.unsafe<Row>(`SELECT count(*) AS left FROM ${table} ${condition}`)
    if (left[0]?.["left"] !== 0) found.push(`I1: ${String(left[0]?.["left"])} ${table} are left`)
  }
  return found
})

const isEnd = (type: string | undefined) => final.some((status) => type === `task.${status}`)

/** I2: every stream is numbered 1, 2, 3 … up to its head, and each message and tool call was announced once. */
const numbered = Effect.fnUntraced(function* (rows: Rows) {
  const streams = yield* rows(`
    SELECT name, head, count(seq) AS events, coalesce(min(seq), 1) AS first, coalesce(max(seq), 0) AS last
    FROM streams LEFT JOIN events ON stream = name GROUP BY name`)
  const twice = yield* rows(`
    SELECT task_id, json_extract(body, '$.messageId') AS message, count(*) AS times FROM events
    WHERE type = 'message.added' GROUP BY task_id, message HAVING times > 1`)
  return [
    ...streams
      .filter(({ events, first, head, last }) => first !== 1 || last !== head || events !== head)
      .map((stream) => `I2: ${JSON.stringify(stream)}`),
    ...twice.map((message) => `I2: announced more than once: ${JSON.stringify(message)}`)
  ]
})

/** I5: what is counted was served, at what the client was told of it; what was served whole is counted. */
const counted = Effect.fnUntraced(function* (
  rows: Rows,
  tasks: ReadonlyArray<Submitted>,
  requests: ReadonlyArray<RecordedRequest>,
  mayMiss: number
) {
  const found: Array<string> = []
  const usage = yield* rows(`SELECT task_id, response_id, input_tokens, output_tokens, cache_read_tokens,
    cache_write_tokens FROM usage`)
  const served = new Map(
    requests.flatMap((request) => (request.answerId === null ? [] : [[request.answerId, request]]))
  )
  for (const row of usage) {
    const request = served.get(String(row["response_id"]))
    const mark = tasks.find(({ id }) => id === row["task_id"])?.mark ?? "of no task"
    if (request === undefined) found.push(`I5: counted and never served: ${JSON.stringify(row)}`)
    else if (!request.prompt.includes(mark)) found.push(`I5: served to another task: ${JSON.stringify(row)}`)
    else if (
      request.usage.inputTokens !== row["input_tokens"] ||
      request.usage.cacheReadTokens !== row["cache_read_tokens"] ||
      request.usage.cacheWriteTokens !== row["cache_write_tokens"] ||
      (request.outcome === "answered" && request.usage.outputTokens !== row["output_tokens"])
    ) {
      found.push(`I5: served ${JSON.stringify(request.usage)}, counted ${JSON.stringify(row)}`)
    }
  }
  const ids = new Set(usage.map((row) => row["response_id"]))
  const ours = requests.filter(({ prompt }) => tasks.some(({ mark }) => prompt.includes(mark)))
  const missed = ours.filter(({ answerId, outcome }) => outcome === "answered" && !ids.has(answerId))
  if (missed.length > mayMiss) found.push(`I5: ${missed.length} whole answers were not counted, ${mayMiss} may be`)
  const sums = yield* rows(`
    SELECT id FROM tasks LEFT JOIN usage ON task_id = id GROUP BY id
    HAVING tasks.input_tokens <> coalesce(sum(usage.input_tokens), 0)
      OR tasks.output_tokens <> coalesce(sum(usage.output_tokens), 0)
      OR abs(tasks.cost_usd - coalesce(sum(usage.cost_usd), 0)) > 1e-9`)
  return [...found, ...sums.map(({ id }) => `I5: the usage of ${String(id)} is not the sum of its answers`)]
})

/** I7 */
const sound = Effect.fnUntraced(function* (rows: Rows) {
  const integrity = yield* rows("PRAGMA integrity_check")
  const foreign = yield* rows("PRAGMA foreign_key_check")
  return [
    ...integrity.filter((row) => row["integrity_check"] !== "ok").map((row) => `I7: ${JSON.stringify(row)}`),
    ...foreign.map((row) => `I7: ${JSON.stringify(row)}`)
  ]
})

/** I3 and I8: nothing is left of a server that has stopped in order. */
const inEngine = async ({ docker, errand }: Circumstances): Promise<Sentences> => [
  ...(await tasksInContainers(errand.dataDir, docker)).map((task) => `I3: a container of ${task} is left`),
  ...(await leftoversOf(errand.dataDir, docker)).map((thing) => `I8: left: ${thing}`)
]

/** I4: the branch the task started from, as it was, and one branch with one commit of the whole work. */
const atRemotes = ({ errand, tasks }: Circumstances): Promise<Sentences> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const sql = yield* connectTo(join(errand.dataDir, "errand.db"))
        const found: Array<string> = []
        for (const { files, id, repository } of tasks) {
          const rows = yield* sql<Row>`SELECT status, branch, pushed_commit FROM tasks WHERE id = ${id}`
          const { branch = "", pushed_commit: pushed, status } = rows[0] ?? {}
          if (status !== "completed") continue
          const refs = yield* gitText(repository, ["for-each-ref", "--format=%(refname:short)"])
          if (refs !== [branch, "main"].join("\n")) found.push(`I4: the remote of ${id} has ${JSON.stringify(refs)}`)
          const log = yield* gitText(repository, ["log", "--format=%H %P", `main..${String(branch)}`])
          const start = yield* gitText(repository, ["rev-parse", "main"])
          if (log !== `${String(pushed)} ${start}`) found.push(`I4: ${id} brought ${log}, on ${start}`)
          const tree = yield* gitText(repository, ["ls-tree", "-r", String(branch)])
          if (tree !== files) found.push(`I4: ${id} brought the files\n${tree}\nand not\n${files}`)
          yield* gitText(repository, ["fsck", "--strict"])
        }
        return found
      })
    )
  )

const filesIn = (directory: string): ReadonlyArray<string> =>
  readdirSync(directory, { recursive: true, encoding: "utf8" }).map((name) => join(directory, name))

const remains = /^(?:tmp_|\.tmp|tmp_objdir|incoming-)|\.(?:lock|new)$/

/** The empty file system that sandboxes begin with has the size of a disk, and nothing of a task in it. */
const mostBytes = 2 ** 30
const isWritten = (file: string): boolean => {
  const found = statSync(file)
  return found.isFile() && found.size < mostBytes
}

/** I6 and I8: no secret in any file or in the output, and no file that somebody has left half done. */
const inFiles = ({ errand, secrets }: Circumstances): Sentences => {
  const files = filesIn(errand.dataDir)
  const texts = [
    ["the output", errand.output] as const,
    ...files.filter(isWritten).map((file) => [file, readFileSync(file, "latin1")] as const)
  ]
  return [
    ...texts.flatMap(([place, text]) =>
      secrets.filter((secret) => text.includes(secret)).map((secret) => `I6: ${secret} stands in ${place}`)
    ),
    ...files.filter((file) => remains.test(basename(file))).map((file) => `I8: left: ${file}`),
    ...readdirSync(errand.temporaryDir).map((name) => `I8: left: ${name} among the temporary files`)
  ]
}
