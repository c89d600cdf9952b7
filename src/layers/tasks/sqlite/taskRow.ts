/** A task as a row of `tasks`, and back. */
import type { Task } from "../../../services/Task.ts"

/** Everything but `log_bytes`, which is the log's own. */
export const toRow = (task: Task) => ({
  id: task.id,
  owner: task.owner,
  schedule_id: task.scheduleId,
  status: task.status,
  phase: task.phase,
  priority: task.priority,
  queued_at: task.queuedAt,
  queued_reason: task.queuedReason,
  start_at: task.startAt,
  expires_at: task.expiresAt,
  run_number: task.runNumber,
  run_started_at: task.runStartedAt,
  recoveries: task.recoveries,
  turns: task.turns,
  worked_ms: task.workedMs,
  input_tokens: task.usage.inputTokens,
  output_tokens: task.usage.outputTokens,
  cache_read_tokens: task.usage.cacheReadTokens,
  cache_write_tokens: task.usage.cacheWriteTokens,
  cost_usd: task.usage.costUsd,
  max_turns: task.limits.maxTurns,
  max_cost_usd: task.limits.maxCostUsd,
  max_duration_seconds: task.limits.maxDurationSeconds,
  created_at: task.createdAt,
  started_at: task.startedAt,
  finished_at: task.finishedAt,
  repository_url: task.repository.url,
  repository_ref: task.repository.ref,
  branch: task.branch,
  base_commit: task.baseCommit,
  head_commit: task.headCommit,
  pushed_commit: task.pushedCommit,
  delivered_commit: task.deliveredCommit,
  line: task.line,
  delivery: task.delivery,
  pull_request_url: task.pullRequest?.url ?? null,
  pull_request_number: task.pullRequest?.number ?? null,
  pull_request_state: task.pullRequest?.state ?? null,
  pull_request_draft: task.pullRequest === null ? null : Number(task.pullRequest.draft),
  pull_request_checks: task.pullRequest?.checks ?? null,
  pull_request_review: task.pullRequest?.review ?? null,
  ci_changes: JSON.stringify(task.ciChanges),
  approvals: task.approvals,
  network_mode: task.network.mode,
  network_hosts: JSON.stringify(task.network.hosts),
  model: task.model,
  tags: JSON.stringify(task.tags),
  secrets: JSON.stringify(task.secrets),
  paused_reason: task.pausedReason,
  paused_limit: task.pausedBudget?.limit ?? null,
  paused_needed_usd: task.pausedBudget?.neededUsd ?? null,
  error_code: task.error?.code ?? null,
  error_message: task.error?.message ?? null,
  title: task.title,
  prompt: task.prompt
})

export type TaskRow = ReturnType<typeof toRow>

export const fromRow = (row: TaskRow): Task => ({
  id: row.id,
  owner: row.owner,
  scheduleId: row.schedule_id,
  status: row.status,
  phase: row.phase,
  title: row.title,
  prompt: row.prompt,
  repository: { url: row.repository_url, ref: row.repository_ref },
  branch: row.branch,
  baseCommit: row.base_commit,
  headCommit: row.head_commit,
  pushedCommit: row.pushed_commit,
  deliveredCommit: row.delivered_commit,
  line: row.line,
  delivery: row.delivery,
  pullRequest:
    row.pull_request_url === null || row.pull_request_number === null
      ? null
      : {
          url: row.pull_request_url,
          number: row.pull_request_number,
          state: row.pull_request_state ?? "open",
          draft: row.pull_request_draft === 1,
          checks: row.pull_request_checks ?? "none",
          review: row.pull_request_review ?? "none"
        },
  ciChanges: JSON.parse(row.ci_changes),
  limits: {
    maxTurns: row.max_turns,
    maxCostUsd: row.max_cost_usd,
    maxDurationSeconds: row.max_duration_seconds
  },
  network: { mode: row.network_mode, hosts: JSON.parse(row.network_hosts) },
  approvals: row.approvals,
  model: row.model,
  priority: row.priority,
  tags: JSON.parse(row.tags),
  secrets: JSON.parse(row.secrets),
  startAt: row.start_at,
  expiresAt: row.expires_at,
  usage: {
    inputTokens: row.input_tokens,
    outputTokens: row.output_tokens,
    cacheReadTokens: row.cache_read_tokens,
    cacheWriteTokens: row.cache_write_tokens,
    costUsd: row.cost_usd
  },
  turns: row.turns,
  workedMs: row.worked_ms,
  error:
    row.error_code === null || row.error_message === null ? null : { code: row.error_code, message: row.error_message },
  pausedReason: row.paused_reason,
  pausedBudget:
    row.paused_limit === null || row.paused_needed_usd === null
      ? null
      : { limit: row.paused_limit, neededUsd: row.paused_needed_usd },
  runNumber: row.run_number,
  runStartedAt: row.run_started_at,
  queuedReason: row.queued_reason,
  recoveries: row.recoveries,
  createdAt: row.created_at,
  queuedAt: row.queued_at,
  startedAt: row.started_at,
  finishedAt: row.finished_at
})

/** The columns in which two rows differ, with the values of the second. */
export const difference = (before: TaskRow, after: TaskRow): Readonly<Record<string, unknown>> => {
  const was: Readonly<Record<string, unknown>> = before
  return Object.fromEntries(Object.entries(after).filter(([column, value]) => was[column] !== value))
}
