/**
 * Tasks: making, listing, reading, changing, ending and deleting them.
 */
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { ScheduleId } from "../../services/Ids.ts"
import { NewTask } from "../../services/NewTask.ts"
import { TaskStatus } from "../../services/TaskStatus.ts"
import { Authentication } from "./Authentication.ts"
import { page, paging, place, query, whole } from "./Page.ts"
import { taskId } from "./params.ts"
import { problems } from "./Problem.ts"
import { Rewind, TaskPatch } from "./requests.ts"
import { TaskView } from "./TaskView.ts"

/** `?status=queued,running` or `?status=queued&status=running`. */
const Statuses = Schema.transform(
  Schema.Union(Schema.String, Schema.Array(Schema.String)).annotations({
    jsonSchema: { type: "string", description: "Statuses, separated by commas." }
  }),
  Schema.Array(TaskStatus),
  {
    strict: false,
    decode: (value) => (typeof value === "string" ? [value] : value).flatMap((part) => part.split(",")),
    encode: (statuses) => statuses.join(",")
  }
).annotations({ message: whole(`must be some of ${TaskStatus.literals.join(", ")}`) })

const optionalText = (maxLength: number) =>
  Schema.optionalWith(Schema.String.pipe(Schema.maxLength(maxLength)), { exact: true })

const filters = query({
  ...paging(place.birth),
  status: Schema.optionalWith(Statuses, { exact: true }),
  repository: optionalText(2048),
  tag: optionalText(64),
  schedule: Schema.optionalWith(ScheduleId, { exact: true }),
  q: optionalText(1000)
})

/** `seq` and `epoch` are those of the `inbox` stream: every change up to there is in the answer. */
const TaskPage = Schema.Struct({ ...page(TaskView).fields, seq: Schema.Int, epoch: Schema.String }).annotations({
  identifier: "TaskPage"
})

export const TaskCreated = TaskView.annotations(HttpApiSchema.annotations({ status: 201, identifier: "Task" }))

const create = HttpApiEndpoint.post("create", "/tasks")
  .setPayload(NewTask)
  .addSuccess(TaskCreated)
  .addError(problems(409, 413, 415, 422, 429, 507))
  .annotate(OpenApi.Identifier, "createTask")
  .annotate(OpenApi.Summary, "Hands over an errand: it is queued and runs as soon as a slot is free.")

const list = HttpApiEndpoint.get("list", "/tasks")
  .setUrlParams(filters)
  .addSuccess(TaskPage)
  .addError(problems(422))
  .annotate(OpenApi.Identifier, "listTasks")
  .annotate(OpenApi.Summary, "Newest first. `q` are words that all occur in the prompt, messages or tool output.")

const get = HttpApiEndpoint.get("get")`/tasks/${taskId}`
  .addSuccess(TaskView)
  .addError(problems(404))
  .annotate(OpenApi.Identifier, "getTask")
  .annotate(OpenApi.Summary, "One task as it is now.")

const update = HttpApiEndpoint.patch("update")`/tasks/${taskId}`
  .setPayload(TaskPatch)
  .addSuccess(TaskView)
  .addError(problems(404, 409, 413, 415, 422, 507))
  .annotate(OpenApi.Identifier, "updateTask")
  .annotate(OpenApi.Summary, "Raising a limit resumes a task that it paused.")

const remove = HttpApiEndpoint.del("remove")`/tasks/${taskId}`
  .addSuccess(HttpApiSchema.NoContent)
  .addError(problems(404, 409, 507))
  .annotate(OpenApi.Identifier, "deleteTask")
  .annotate(OpenApi.Summary, "Deletes a final task and everything about it.")

const cancel = HttpApiEndpoint.post("cancel")`/tasks/${taskId}/cancel`
  .addSuccess(TaskView)
  .addError(problems(404, 413, 415, 422, 507))
  .annotate(OpenApi.Identifier, "cancelTask")
  .annotate(OpenApi.Summary, "Ends the task and its sandbox; a final task stays as it is.")

const retry = HttpApiEndpoint.post("retry")`/tasks/${taskId}/retry`
  .addSuccess(TaskView)
  .addError(problems(404, 409, 413, 415, 422, 507))
  .annotate(OpenApi.Identifier, "retryTask")
  .annotate(OpenApi.Summary, "Starts a failed or cancelled task again, from its last checkpoint.")

const rewind = HttpApiEndpoint.post("rewind")`/tasks/${taskId}/rewind`
  .setPayload(Rewind)
  .addSuccess(TaskView)
  .addError(problems(404, 409, 413, 415, 422, 507))
  .annotate(OpenApi.Identifier, "rewindTask")
  .annotate(
    OpenApi.Summary,
    "Goes on from a checkpoint, or from `baseCommit`: files and conversation are as they were then."
  )

export class TasksApi extends HttpApiGroup.make("tasks")
  .add(create)
  .add(list)
  .add(get)
  .add(update)
  .add(remove)
  .add(cancel)
  .add(retry)
  .add(rewind)
  .middleware(Authentication)
  .prefix("/api/v1") {}
