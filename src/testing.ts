/**
 * For tests of what is built on Errand: every adapter that needs no engine, no key and no network.
 *
 * Swap one into the whole application: `AppLayer.layerWith({ sandbox: SandboxScripted.layer })`.
 */
export * as AccountsMemory from "./layers/AccountsMemory.ts"
export * as BudgetsMemory from "./layers/BudgetsMemory.ts"
export * as ClaudeClientScripted from "./layers/ClaudeClientScripted.ts"
export * as DiskSpaceMemory from "./layers/DiskSpaceMemory.ts"
export * as EventBusMemory from "./layers/EventBusMemory.ts"
export * as ForgeCommentsMemory from "./layers/ForgeCommentsMemory.ts"
export * as ForgeMemory from "./layers/ForgeMemory.ts"
export * as ForgeTokensMemory from "./layers/ForgeTokensMemory.ts"
export * as GitCredentialsMemory from "./layers/GitCredentialsMemory.ts"
export * as IdempotencyMemory from "./layers/IdempotencyMemory.ts"
export * as IdsCounter from "./layers/IdsCounter.ts"
export * as SandboxScripted from "./layers/SandboxScripted.ts"
export * as SecretsMemory from "./layers/SecretsMemory.ts"
export * as TaskQueueMemory from "./layers/TaskQueueMemory.ts"
export * as TaskRepoMemory from "./layers/TaskRepoMemory.ts"
export * as TransactionMemory from "./layers/TransactionMemory.ts"
