/**
 * Which commands a person must allow when a task's `approvals` is `ask`: what reaches beyond the work tree,
 * installs foreign code, or destroys much at once.
 */

interface Rule {
  readonly reason: string
  readonly pattern: RegExp
}

/** A word at the place of a command: at the start, after a separator, or behind `sudo`, `env` and the like. */
const command = (words: string) =>
  new RegExp(`(?:^|[;&|(\`]|\\b(?:sudo|env|xargs|exec|time|nohup)\\s)\\s*(?:${words})\\b`, "m")

const rules: ReadonlyArray<Rule> = [
  { reason: "talks to other machines", pattern: command("curl|wget|nc|ncat|ssh|scp|sftp|rsync|telnet|ftp") },
  { reason: "talks to a git remote", pattern: /\bgit\b[^;&|\n]*\s(?:push|pull|fetch|clone|remote|submodule)\b/ },
  {
    reason: "installs packages",
    pattern:
      /\b(?:(?:npm|pnpm|yarn|bun)\s+(?:i|ci|add|install|update|exec)\b|npx\b|pip3?\s+install\b|cargo\s+(?:install|add)\b|go\s+(?:get|install)\b|gem\s+install\b|apt(?:-get)?\s+install\b)/
  },
  { reason: "publishes", pattern: /\b(?:npm|pnpm|yarn|cargo|twine|gem|docker)\s+(?:publish|upload|push)\b/ },
  { reason: "deletes recursively", pattern: /\brm\s+(?:-\w+\s+)*-\w*[rR]/ },
  {
    reason: "rewrites history or throws work away",
    pattern: /\bgit\b[^;&|\n]*\s(?:reset\s+--hard|clean\s+-\w*f|rebase|filter-branch)\b/
  }
]

/** Why this command needs a person's word; nothing when it does not. */
export const reasonToAsk = (shellCommand: string): string | undefined =>
  rules.find(({ pattern }) => pattern.test(shellCommand))?.reason
