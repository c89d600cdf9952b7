import type { MoneyLimit, PausedBudget } from "../../services/Task.ts"
import { safeLine } from "./safeText.ts"

const remedies: Readonly<Record<string, string>> = {
  turn_limit_reached: "its limit of turns is reached. Raise limits.maxTurns of the task to go on.",
  time_limit_reached: "its limit of time is reached. Raise limits.maxDurationSeconds of the task to go on.",
  model_price_unknown:
    "the price of its model is not known any more. Add it to the file that ERRAND_PRICES names, start the server again, then retry the task.",
  model_spend_limit: "the spend limit of the model account is reached. Raise it there, then retry the task.",
  disk_full: "the server's disk is full. It goes on by itself when there is space again.",
  sandbox_disk_full:
    "its sandbox has no space left. Give sandboxes more with ERRAND_SANDBOX_DISK, or retry it with another approach.",
  reconnect_github:
    "GitHub wants a sign-in. Sign in with GitHub again, or store a token with PUT /api/v1/git-credentials/{host}, and it goes on.",
  secret_needed:
    "a secret that it names is not stored any more. Store it again with `errand secrets set NAME`, and it goes on.",
  git_credential_needed:
    "the git host wants a credential. Store one with PUT /api/v1/git-credentials/{host}, and it goes on."
}

const budgetRemedies: Readonly<Record<MoneyLimit, string>> = {
  task: "its limit of money is reached. Raise limits.maxCostUsd of the task to go on.",
  day: "the budget of the day is used up. Raise it with PUT /api/v1/budgets, or wait for the next day (UTC).",
  user: "the budget of the account is used up. Raise it with PUT /api/v1/budgets.",
  repository: "the budget of the repository is used up. Raise it with PUT /api/v1/budgets."
}

/** Why a task is paused, and what a person can do. New reasons are shown as they are. */
export const pauseRemedy = (reason: string, budget?: PausedBudget): string =>
  budget !== undefined ? budgetRemedies[budget.limit] : (remedies[reason] ?? safeLine(reason))
