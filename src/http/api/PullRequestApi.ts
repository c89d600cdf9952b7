/**
 * The pull request of a task.
 */
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "@effect/platform"
import { Authentication } from "./Authentication.ts"
import { taskId } from "./params.ts"
import { problems } from "./Problem.ts"
import { TaskView } from "./TaskView.ts"

const open = HttpApiEndpoint.post("open")`/tasks/${taskId}/pull-request`
  .addSuccess(TaskView)
  .addError(problems(404, 409, 413, 415, 422, 503, 507))
  .annotate(OpenApi.Identifier, "openPullRequest")
  .annotate(OpenApi.Summary, "Opens the pull request of a task that has pushed its branch, or finds the one it has.")

export class PullRequestApi extends HttpApiGroup.make("pullRequests")
  .add(open)
  .middleware(Authentication)
  .prefix("/api/v1") {}
