/** The answer to work for a model that nobody has configured. */
import { Problem } from "./api/Problem.ts"

export const modelMissing = Problem.of(
  "model_not_configured",
  "This server has no key for a model. Its owner sets ANTHROPIC_API_KEY and starts it again."
)
