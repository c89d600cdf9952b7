/**
 * What a task brought back.
 */
import { HttpApiBuilder, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Chunk, Effect, Either, Option, Stream } from "effect"
import { GitStore } from "../../services/GitStore.ts"
import type { TaskId } from "../../services/Ids.ts"
import { TaskRepo } from "../../services/TaskRepo.ts"
import { Problem } from "../api/Problem.ts"
import { Api } from "../Api.ts"
import { byteRange } from "../byteRange.ts"
import { firstThenRest } from "../firstThenRest.ts"
import { asProblem, notFound } from "../translate.ts"
import { makeExport } from "./export.ts"
import { makeOwned } from "./ownedTask.ts"

const logSlice = 256 * 1024

export const layer = HttpApiBuilder.group(Api, "results", (handlers) =>
  Effect.gen(function* () {
    const repo = yield* TaskRepo
    const store = yield* GitStore
    const owned = yield* makeOwned
    const exported = yield* makeExport

    /** Where the difference of a task is to be found; `head` is null while it has changed nothing. */
    const difference = (id: TaskId) =>
      Effect.map(owned(id), (task) => ({
        key: { owner: task.owner, url: task.repository.url },
        base: task.baseCommit,
        head: task.headCommit
      }))

    /** At most `length` bytes of a log from `start` on, in slices. */
    const logBytes = (id: TaskId, start: number, length: number) =>
      Stream.paginateChunkEffect({ start, left: length }, ({ start, left }) =>
        Effect.map(repo.log(id, start, Math.min(left, logSlice)), ({ bytes }) => {
          const rest = { start: start + bytes.length, left: left - bytes.length }
          return [Chunk.of(bytes), rest.left > 0 && bytes.length > 0 ? Option.some(rest) : Option.none()] as const
        })
      )

    return handlers
      .handle("diff", ({ path: { taskId } }) =>
        Effect.gen(function* () {
          const { key, base, head } = yield* difference(taskId)
          if (head === null) return { base, head, files: [], additions: 0, deletions: 0, truncated: false }
          return { base, head, ...(yield* store.diff(key, base, head)) }
        }).pipe(asProblem)
      )
      .handle("fileDiff", ({ path: { taskId, fileId } }) =>
        Effect.gen(function* () {
          const { key, base, head } = yield* difference(taskId)
          if (head === null) return yield* notFound
          const file = yield* store.fileDiff(key, base, head, fileId)
          return yield* Either.fromOption(file, () => notFound)
        }).pipe(asProblem)
      )
      .handle("patch", ({ path: { taskId } }) =>
        Effect.gen(function* () {
          const { key, base, head } = yield* difference(taskId)
          const patch = head === null ? Stream.empty : yield* firstThenRest(store.patch(key, base, head))
          return HttpServerResponse.stream(patch, { contentType: "text/x-diff" })
        }).pipe(asProblem)
      )
      .handle("log", ({ path: { taskId } }) =>
        Effect.gen(function* () {
          yield* owned(taskId)
          const { headers } = yield* HttpServerRequest.HttpServerRequest
          const { size } = yield* repo.log(taskId, 0, 0)
          const range = byteRange(headers["range"], size)
          if (range._tag === "Unsatisfiable") {
            return yield* Problem.of("range_not_satisfiable", `The log has ${size} bytes.`, {
              headers: { "content-range": `bytes */${size}` }
            })
          }
          const [first, last] = range._tag === "Part" ? [range.first, range.last] : [0, size - 1]
          const length = last - first + 1
          return HttpServerResponse.stream(length === 0 ? Stream.empty : logBytes(taskId, first, length), {
            status: range._tag === "Part" ? 206 : 200,
            contentType: "text/plain; charset=utf-8",
            contentLength: length,
            headers: {
              "accept-ranges": "bytes",
              ...(range._tag === "Part" ? { "content-range": `bytes ${first}-${last}/${size}` } : {})
            }
          })
        }).pipe(asProblem)
      )
      .handle("export", ({ path: { taskId } }) =>
        Effect.map(owned(taskId), (task) =>
          HttpServerResponse.stream(exported(task), {
            contentType: "application/json",
            headers: { "content-disposition": `attachment; filename="${task.id}.json"` }
          })
        ).pipe(asProblem)
      )
  })
)
