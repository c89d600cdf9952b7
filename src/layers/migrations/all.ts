/** Every migration, oldest first. A released one is never edited: what must change is changed by a new one. */
import { accounts } from "./0001_accounts.ts"
import { tasks } from "./0002_tasks.ts"
import { leases } from "./0003_leases.ts"
import { budgets } from "./0004_budgets.ts"
import { schedules } from "./0005_schedules.ts"
import { rewind } from "./0006_rewind.ts"
import { network } from "./0008_network.ts"
import { secrets } from "./0009_secrets.ts"
import { ciChanges } from "./0010_ci_changes.ts"
import { sessions } from "./0011_sessions.ts"
import { forgeSignIns } from "./0012_forge_sign_ins.ts"
import { pullRequests } from "./0013_pull_requests.ts"
import { forgeComments } from "./0014_forge_comments.ts"

/** Keys are `<number>_<name>`; the migrator skips any other in silence. */
export const migrations = {
  "0001_accounts": accounts,
  "0002_tasks": tasks,
  "0003_leases": leases,
  "0004_budgets": budgets,
  "0005_schedules": schedules,
  "0006_rewind": rewind,
  "0008_network": network,
  "0009_secrets": secrets,
  "0010_ci_changes": ciChanges,
  "0011_sessions": sessions,
  "0012_forge_sign_ins": forgeSignIns,
  "0013_pull_requests": pullRequests,
  "0014_forge_comments": forgeComments
}
