/**
 * One run of a task, from lease to end.
 */
import { Cause, Duration, Effect, Either, ExecutionStrategy, Exit, Option, Ref, Scope } from "effect"
import { GitStore, type StartPoint } from "../services/GitStore.ts"
import type { TaskId } from "../services/Ids.ts"
import { lastWords } from "../services/Message.ts"
import { Sandbox } from "../services/Sandbox.ts"
import type { Task } from "../services/Task.ts"
import { TaskChange } from "../services/TaskChange.ts"
import { diskFull, type RunSuperseded, secretNeeded } from "../services/TaskCommands.ts"
import type { Lease } from "../services/TaskQueue.ts"
import { TaskRepo } from "../services/TaskRepo.ts"
import { inSpan } from "../services/traced.ts"
import { lastSaved, noCommits, storeKey, type Workplace } from "./checkpoint.ts"
import { ciChangesRefused } from "./ciChanges.ts"
import { deliver } from "./deliver.ts"
import { remainingMs } from "./limits.ts"
import { TaskFailed, TaskPaused } from "./outcome.ts"
import { pause } from "./pause.ts"
import { remoteRetries, remoteTrouble } from "./remote.ts"
import { resume } from "./resume.ts"
import { sandboxDiskFull, sandboxRetries, sandboxTrouble } from "./sandboxTrouble.ts"
import * as TaskRun from "./TaskRun.ts"
import { traceRun } from "./traceRun.ts"
import { layOut } from "./workspace.ts"
import { work } from "./work.ts"

/** How long a run that is stopped tries to say so. */
const lastWrite = Duration.seconds(3)

/** What broke a run down on the server's side, open files that ran out, say, often passes: the next run comes later. */
const breather = "5 seconds"

/**
 * Runs a leased task to the end of this run. The sandbox is gone when this returns, however it ends; the task is then
 * final, paused, waiting for a person without a sandbox, or queued again.
 */
export const runTask = Effect.fn("runTask")(
  function* (lease: Lease, interrupts: TaskRun.ToolInterrupts) {
    const run = yield* TaskRun.make(lease, interrupts)
    yield* Effect.scoped(story(run)).pipe(
      Effect.catchTags({
        TaskFailed: ({ code, message }) => end(run, TaskChange.Failed({ error: { code, message } })),
        TaskPaused: (paused) => pause(run, paused),
        StorageFull: () => pause(run, { reason: diskFull }),
        TaskDeferred: ({ until }) => end(run, TaskChange.Queued({ reason: "resume", notBefore: until })),
        TaskParked: () => Effect.void,
        SandboxLost: ({ detail, limit }) =>
          Effect.zipRight(
            Effect.logWarning("the sandbox was lost", detail),
            end(
              run,
              limit === "disk"
                ? TaskChange.Paused({ reason: sandboxDiskFull })
                : TaskChange.Queued({ reason: "recovery" })
            )
          )
      }),
      Effect.catchAllDefect((defect) =>
        Effect.logError("a run died of a defect", Cause.die(defect)).pipe(
          Effect.zipRight(Effect.sleep(breather)),
          Effect.zipRight(end(run, TaskChange.Queued({ reason: "recovery" })))
        )
      ),
      Effect.onExit((exit) => (Exit.isInterrupted(exit) ? putBack(run) : Effect.void)),
      Effect.catchTag("RunSuperseded", (error: RunSuperseded) => Effect.logDebug(error.message)),
      traceRun(run, lease.task)
    )
    yield* takeUp(lease.task.id)
  },
  (effect, { run, task }) => effect.pipe(Effect.scoped, Effect.annotateLogs({ taskId: task.id, run }))
)

const end = (run: TaskRun.TaskRun, change: TaskChange) => Effect.flatMap(run.lap, (lap) => run.record([lap, change]))

/** The work was done, and all that is left to say of it is about its delivery. */
const isDelivered = ({ error, status }: Task) => status === "completed" || error?.code === ciChangesRefused

/** A message that came while the work was being delivered, or a push waited for a person, starts a follow-up. */
const takeUp = Effect.fnUntraced(function* (id: TaskId) {
  const repo = yield* TaskRepo
  if ((yield* repo.pending(id)).length === 0) return
  yield* repo.change(id, (task) => Either.right(isDelivered(task) ? [TaskChange.Queued({ reason: "follow_up" })] : []))
}, Effect.ignoreLogged)

/** A full disk holds up no shutdown: what could not be stored is found by the next start. */
const putBack = (run: TaskRun.TaskRun) =>
  end(run, TaskChange.Queued({ reason: "shutdown" })).pipe(
    Effect.interruptible,
    Effect.timeoutOption(lastWrite),
    Effect.ignore
  )

const story = Effect.fnUntraced(function* (run: TaskRun.TaskRun) {
  const place = yield* prepare(run).pipe(inSpan("prepare"))
  const progress = yield* resume(run, place)
  const begun = yield* run.task
  const conversation = yield* work(run, place, progress).pipe(
    Effect.timeoutFail({
      duration: Duration.millis(remainingMs(begun)),
      onTimeout: () => new TaskPaused({ reason: "time_limit_reached", limits: begun.limits })
    })
  )
  yield* deliver(run, lastWords(conversation)).pipe(inSpan("deliver"))
  yield* end(run, TaskChange.Completed())
})

/** A sandbox with the work tree in it, as the task has left it. */
const prepare = Effect.fnUntraced(function* (run: TaskRun.TaskRun) {
  const store = yield* GitStore
  const task = yield* run.task
  const key = storeKey(task)
  const [start, sandbox] = yield* Effect.all(
    [findStart(run).pipe(inSpan("fetch")), openSandbox(run).pipe(inSpan("open sandbox"))],
    { concurrency: 2 }
  )
  if (task.headCommit !== null && !(yield* store.hasCommit(key, task.headCommit))) return yield* checkpointLost
  const files = task.headCommit ?? start.commit
  yield* layOut(sandbox, {
    branch: task.branch,
    base: start.commit,
    files,
    pack: files === null ? null : store.pack(key, [files, ...(start.commit === null ? [] : [start.commit])], [])
  }).pipe(
    inSpan("lay out"),
    Effect.catchTags({
      RemoteFailed: remoteTrouble(run),
      PipeFailed: ({ message }) => new TaskFailed({ code: "clone_failed", message }),
      SnapshotFailed: ({ message }) => new TaskFailed({ code: "clone_failed", message })
    })
  )
  // From here on what is edited is known.
  yield* Effect.zipRight(sandbox.treeChanged, sandbox.edits)
  yield* run.record([TaskChange.RepositoryReady({ baseCommit: start.commit })])
  const place: Workplace = {
    sandbox,
    key,
    tree: yield* Ref.make<"saved" | "untold" | "touched">("saved"),
    commits: yield* Ref.make(noCommits(files))
  }
  return place
})

/** As after a restore of the database alone: going on without the files would be going on with another task's words. */
const checkpointLost = new TaskFailed({
  code: "checkpoint_lost",
  message: "The files of the last checkpoint are not on this server: restore the repositories too, or begin a new task."
})

/** The commit that the task started from once, or what the remote has now. */
const findStart = Effect.fnUntraced(function* (run: TaskRun.TaskRun) {
  const store = yield* GitStore
  const task = yield* run.task
  const key = storeKey(task)
  const saved = lastSaved(task)
  if (saved !== null && (yield* store.hasCommit(key, saved))) {
    const start: StartPoint = { ref: task.branch, commit: task.baseCommit }
    return start
  }
  return yield* store
    .fetch(key, Option.fromNullable(task.repository.ref))
    .pipe(Effect.retry(remoteRetries(run)), Effect.catchTag("RemoteFailed", remoteTrouble(run)))
})

/** What an attempt has taken before it failed goes at once: the run may go on for hours with what the next one gets. */
const forItself = Effect.fnUntraced(function* <A, E, R>(attempt: Effect.Effect<A, E, R>) {
  const scope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
  return yield* Scope.extend(attempt, scope).pipe(Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))))
})

const openSandbox = Effect.fnUntraced(function* (run: TaskRun.TaskRun) {
  const sandbox = yield* Sandbox
  const { id, network, secrets } = yield* run.task
  if (run.secrets.length < secrets.length) return yield* new TaskPaused({ reason: secretNeeded })
  const handle = yield* sandbox
    .open({ taskId: id, run: run.number, network, secrets: run.secrets })
    .pipe(forItself, Effect.retry(sandboxRetries(run)), Effect.catchTag("SandboxUnavailable", sandboxTrouble))
  yield* run.record([TaskChange.SandboxReady()])
  return handle
})
