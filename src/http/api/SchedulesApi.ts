/**
 * Schedules: tasks that come again and again, and what became of their slots.
 */
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { Schedule, ScheduleRun } from "../../services/Schedules.ts"
import { Timestamp } from "../../services/Task.ts"
import { Authentication } from "./Authentication.ts"
import { limit, page, paging, place, query } from "./Page.ts"
import { scheduleId } from "./params.ts"
import { problems } from "./Problem.ts"
import { NewSchedule, SchedulePatch } from "./requests.ts"

const { owner: _, ...fields } = Schedule.fields

export const ScheduleView = Schema.Struct({
  ...fields,
  /** The next five slots; empty while it is not enabled. */
  upcoming: Schema.Array(Timestamp),
  /** What became of the newest slot; null before the first. */
  lastRun: Schema.NullOr(ScheduleRun)
}).annotations({ identifier: "Schedule" })
export interface ScheduleView extends Schema.Schema.Type<typeof ScheduleView> {}

const create = HttpApiEndpoint.post("create", "/schedules")
  .setPayload(NewSchedule)
  .addSuccess(ScheduleView.annotations(HttpApiSchema.annotations({ status: 201, identifier: "Schedule" })))
  .addError(problems(409, 413, 415, 422, 507))
  .annotate(OpenApi.Identifier, "createSchedule")
  .annotate(OpenApi.Summary, "Hands over an errand at every slot of a cron expression, in a time zone.")

const list = HttpApiEndpoint.get("list", "/schedules")
  .setUrlParams(query(paging(place.birth)))
  .addSuccess(page(ScheduleView).annotations({ identifier: "SchedulePage" }))
  .addError(problems(422))
  .annotate(OpenApi.Identifier, "listSchedules")
  .annotate(OpenApi.Summary, "Newest first.")

const preview = HttpApiEndpoint.get("preview", "/schedules/preview")
  .setUrlParams(
    query({
      cron: NewSchedule.fields.cron,
      timeZone: NewSchedule.fields.timeZone,
      limit: limit(50, 5)
    })
  )
  .addSuccess(Schema.Struct({ items: Schema.Array(Timestamp) }).annotations({ identifier: "SlotPreview" }))
  .addError(problems(422))
  .annotate(OpenApi.Identifier, "previewSchedule")
  .annotate(OpenApi.Summary, "The next slots of a cron expression, before there is a schedule.")

const get = HttpApiEndpoint.get("get")`/schedules/${scheduleId}`
  .addSuccess(ScheduleView)
  .addError(problems(404))
  .annotate(OpenApi.Identifier, "getSchedule")
  .annotate(OpenApi.Summary, "One schedule as it is now.")

const update = HttpApiEndpoint.patch("update")`/schedules/${scheduleId}`
  .setPayload(SchedulePatch)
  .addSuccess(ScheduleView)
  .addError(problems(404, 409, 413, 415, 422, 507))
  .annotate(OpenApi.Identifier, "updateSchedule")
  .annotate(OpenApi.Summary, "`enabled` pauses and resumes it. Slots that pass while it is paused are not made up for.")

const remove = HttpApiEndpoint.del("remove")`/schedules/${scheduleId}`
  .addSuccess(HttpApiSchema.NoContent)
  .addError(problems(404, 507))
  .annotate(OpenApi.Identifier, "deleteSchedule")
  .annotate(OpenApi.Summary, "Deletes the schedule; its tasks stay.")

const runs = HttpApiEndpoint.get("runs")`/schedules/${scheduleId}/runs`
  .setUrlParams(query(paging(place.time)))
  .addSuccess(page(ScheduleRun).annotations({ identifier: "ScheduleRunPage" }))
  .addError(problems(404, 422))
  .annotate(OpenApi.Identifier, "listScheduleRuns")
  .annotate(OpenApi.Summary, "What became of its slots, newest first: a task, or the reason why there is none.")

export class SchedulesApi extends HttpApiGroup.make("schedules")
  .add(create)
  .add(list)
  .add(preview)
  .add(get)
  .add(update)
  .add(remove)
  .add(runs)
  .middleware(Authentication)
  .prefix("/api/v1") {}
