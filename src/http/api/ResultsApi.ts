/**
 * What a task brought back: the difference it made, the log as text, everything as one file.
 */
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { FileChange, Hunk } from "../../services/GitStore.ts"
import { CommitId } from "../../services/Ids.ts"
import { Authentication } from "./Authentication.ts"
import { fileId, taskId } from "./params.ts"
import { problems } from "./Problem.ts"

/** What the task changed: `git diff base...head`. Both commits are null as long as there is none. */
const DiffView = Schema.Struct({
  base: Schema.NullOr(CommitId),
  head: Schema.NullOr(CommitId),
  files: Schema.Array(FileChange),
  additions: Schema.Int,
  deletions: Schema.Int,
  /** True when there were too many files to list; the patch has them all. */
  truncated: Schema.Boolean
}).annotations({ identifier: "Diff" })

const FileDiff = Schema.Struct({
  file: FileChange,
  hunks: Schema.Array(Hunk),
  truncated: Schema.Boolean
}).annotations({ identifier: "FileDiff" })

const diff = HttpApiEndpoint.get("diff")`/tasks/${taskId}/diff`
  .addSuccess(DiffView)
  .addError(problems(404, 503))
  .annotate(OpenApi.Identifier, "getDiff")
  .annotate(OpenApi.Summary, "The files that the task changed.")

const fileDiff = HttpApiEndpoint.get("fileDiff")`/tasks/${taskId}/diff/${fileId}`
  .addSuccess(FileDiff)
  .addError(problems(404, 503))
  .annotate(OpenApi.Identifier, "getFileDiff")
  .annotate(OpenApi.Summary, "The hunks of one file.")

const patch = HttpApiEndpoint.get("patch")`/tasks/${taskId}/patch`
  .addSuccess(HttpApiSchema.Text({ contentType: "text/x-diff" }))
  .addError(problems(404, 503))
  .annotate(OpenApi.Identifier, "getPatch")
  .annotate(OpenApi.Summary, "The whole difference, as `git apply` takes it.")

const log = HttpApiEndpoint.get("log")`/tasks/${taskId}/log`
  .addSuccess(HttpApiSchema.Text())
  .addSuccess(HttpApiSchema.Text().annotations(HttpApiSchema.annotations({ status: 206 })))
  .addError(problems(404, 416))
  .annotate(OpenApi.Identifier, "getLog")
  .annotate(OpenApi.Summary, "The task told as plain text. A single byte range is honoured.")

const exported = HttpApiEndpoint.get("export")`/tasks/${taskId}/export`
  .addSuccess(Schema.Unknown)
  .addError(problems(404))
  .annotate(OpenApi.Identifier, "exportTask")
  .annotate(OpenApi.Summary, "Everything about the task as one JSON file.")

export class ResultsApi extends HttpApiGroup.make("results")
  .add(diff)
  .add(fileDiff)
  .add(patch)
  .add(log)
  .add(exported)
  .middleware(Authentication)
  .prefix("/api/v1") {}
