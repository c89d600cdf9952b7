/**
 * Schedules: from requests to services and back.
 */
import { HttpApiBuilder } from "@effect/platform"
import { DateTime, Effect, Option } from "effect"
import { ClaudeClient } from "../../services/ClaudeClient.ts"
import { makeDrafts, TaskRefused } from "../../services/draftTask.ts"
import { Ids, type UserId } from "../../services/Ids.ts"
import type { TaskTemplate } from "../../services/NewTask.ts"
import { type Schedule, type ScheduleDraft, Schedules } from "../../services/Schedules.ts"
import { nextSlots, parseSlots } from "../../services/slots.ts"
import { defaultTitle } from "../../services/taskNames.ts"
import { CurrentPrincipal } from "../api/Authentication.ts"
import { Problem } from "../api/Problem.ts"
import { NewSchedule, SchedulePatch } from "../api/requests.ts"
import { ScheduleView } from "../api/SchedulesApi.ts"
import { Api } from "../Api.ts"
import { command } from "../idempotent.ts"
import { modelMissing } from "../modelMissing.ts"
import { boundedPage, pageRequest } from "../pages.ts"
import { bodyText, decodeBody } from "../requestBody.ts"
import { asProblem } from "../translate.ts"

const shown = 5

const create = command({ body: NewSchedule, answer: ScheduleView, status: 201 })
const decodePatch = decodeBody(SchedulePatch)

const defaults = {
  timeZone: "UTC",
  overlap: "skip",
  catchUp: "one",
  catchUpWindowSeconds: 24 * 3600,
  enabled: true
} as const

const draftOf = ({ title, ...request }: NewSchedule, identity: Pick<ScheduleDraft, "id" | "owner">): ScheduleDraft => ({
  ...defaults,
  ...request,
  ...identity,
  title: title ?? request.task.title ?? defaultTitle(request.task.prompt)
})

export const layer = HttpApiBuilder.group(Api, "schedules", (handlers) =>
  Effect.gen(function* () {
    const schedules = yield* Schedules
    const claude = yield* ClaudeClient
    const ids = yield* Ids
    const makeDraft = yield* makeDrafts

    const view = Effect.fnUntraced(function* (schedule: Schedule): Effect.fn.Return<ScheduleView> {
      const { cron, nextRunAt, timeZone } = schedule
      const lastRun = Option.getOrNull(yield* schedules.lastRun(schedule.id))
      if (nextRunAt === null) return { ...schedule, upcoming: [], lastRun }
      const slots = yield* Effect.orDie(parseSlots(cron, timeZone))
      return { ...schedule, upcoming: [nextRunAt, ...nextSlots(slots, nextRunAt, shown - 1)], lastRun }
    })

    /** As a task is checked that is to start now. */
    const check = (owner: UserId, template: TaskTemplate) =>
      makeDraft(owner, template).pipe(
        Effect.catchTags({
          TaskRefused: (error) => new TaskRefused({ ...error, path: `task.${error.path}` }),
          RepositoryUrlRefused: ({ message, reason }) =>
            Problem.of("repository_url_refused", message, {
              errors: [{ path: "task.repository.url", message: reason }]
            })
        }),
        Effect.zipRight(claude.configured),
        Effect.filterOrFail(
          (configured) => configured,
          () => modelMissing
        )
      )

    return handlers
      .handleRaw("create", () =>
        create(
          (request) =>
            Effect.gen(function* () {
              const { user } = yield* CurrentPrincipal
              yield* check(user.id, request.task)
              const draft = draftOf(request, { id: yield* ids.schedule, owner: user.id })
              const schedule = yield* schedules.create(draft)
              return { value: yield* view(schedule), headers: { location: `/api/v1/schedules/${schedule.id}` } }
            }),
          Effect.void
        ).pipe(asProblem)
      )
      .handle("list", ({ urlParams }) =>
        Effect.gen(function* () {
          const { user } = yield* CurrentPrincipal
          const page = yield* boundedPage(
            pageRequest(urlParams),
            (schedule: Schedule) => schedule.task.prompt.length,
            (request) => schedules.list(user.id, request)
          )
          return { items: yield* Effect.forEach(page.items, view), nextCursor: page.nextCursor }
        })
      )
      .handle("preview", ({ urlParams: { cron, limit, timeZone = defaults.timeZone } }) =>
        Effect.gen(function* () {
          const slots = yield* parseSlots(cron, timeZone)
          return { items: nextSlots(slots, DateTime.formatIso(yield* DateTime.now), limit) }
        }).pipe(asProblem)
      )
      .handle("get", ({ path: { scheduleId } }) =>
        Effect.gen(function* () {
          const { user } = yield* CurrentPrincipal
          return yield* view(yield* schedules.get(user.id, scheduleId))
        }).pipe(asProblem)
      )
      .handleRaw("update", ({ path: { scheduleId } }) =>
        Effect.gen(function* () {
          const { user } = yield* CurrentPrincipal
          const patch = yield* Effect.flatMap(bodyText, decodePatch)
          yield* schedules.get(user.id, scheduleId)
          if (patch.task !== undefined) yield* check(user.id, patch.task)
          return yield* view(yield* schedules.update(user.id, scheduleId, patch))
        }).pipe(asProblem)
      )
      .handle("remove", ({ path: { scheduleId } }) =>
        Effect.flatMap(CurrentPrincipal, ({ user }) => schedules.remove(user.id, scheduleId)).pipe(asProblem)
      )
      .handle("runs", ({ path: { scheduleId }, urlParams }) =>
        Effect.gen(function* () {
          const { user } = yield* CurrentPrincipal
          yield* schedules.get(user.id, scheduleId)
          return yield* schedules.runs(scheduleId, pageRequest(urlParams))
        }).pipe(asProblem)
      )
  })
)
