/** What the model of the demo says. Its steps depend on what the tools really answer: without a failing test, no fix. */
import type { ScriptSource } from "../../layers/scripted/Script.ts"
import { prompt } from "./project.ts"

/** As fast as one can read along. */
const charactersPerSecond = 500

/** `runTests` is the command that runs the project's tests with the reporter that people read. */
export const script = (runTests: string): ScriptSource => ({
  scenarios: [
    {
      name: "mend the failing test",
      match: prompt,
      steps: [
        {
          text: "I am not Claude: I play a script that comes with Errand, so that you can watch without a key. The tools, the commit and the push are real. First I look around.",
          tools: [{ name: "list_files" }, { name: "search_files", input: { pattern: "split\\(" } }],
          charactersPerSecond
        },
        {
          text: "One function, three tests. I read both files.",
          tools: [
            { name: "read_file", input: { path: "src/split.js" } },
            { name: "read_file", input: { path: "test/split.test.js" } }
          ],
          charactersPerSecond
        },
        {
          text: "Now I see what fails.",
          tools: [{ name: "run_command", input: { command: runTests } }],
          charactersPerSecond
        },
        {
          when: { tool: "run_command", isError: true, toolResult: { regexp: "^✖ (?<failing>.+?) \\(" } },
          text: "“{{failing}}” fails: rounding down drops the rest of the division. The first ones have to pay a cent more each.",
          tools: [
            {
              name: "edit_file",
              input: {
                path: "src/split.js",
                old_text: "  return Array.from({ length: people }, () => share)\n",
                new_text:
                  "  const rest = cents % people\n  return Array.from({ length: people }, (_, index) => share + (index < rest ? 1 : 0))\n"
              }
            }
          ],
          charactersPerSecond
        },
        {
          when: { tool: "edit_file", isError: false },
          text: "The tests will tell.",
          tools: [{ name: "run_command", input: { command: runTests } }],
          charactersPerSecond
        },
        {
          when: { tool: "run_command", isError: false, toolResult: { regexp: "^ℹ fail 0$" } },
          text: "All tests pass. The rest of the division now goes to the first people, one cent each, so the shares add up to the bill.",
          charactersPerSecond
        },
        {
          unless: { tool: "run_command", isError: false, toolResult: { regexp: "^ℹ fail 0$" } },
          text: "This did not go as my script expects, and I can't think: I stop here.",
          stop: "refusal",
          charactersPerSecond
        }
      ]
    }
  ]
})
