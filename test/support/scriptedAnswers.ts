/** What a scripted sandbox answers to the commands of the contract. */
import { Effect } from "effect"
import type { Options, ScriptedCommand } from "../../src/layers/SandboxScripted.ts"
import { scripts } from "./sandboxContract.ts"

const commands: ReadonlyArray<ScriptedCommand> = [
  { when: scripts.both, then: { output: "out\nerr\nout again\n", exitCode: 3 } },
  { when: scripts.where, then: ({ cwd, write }) => Effect.as(write(`${cwd}\n`), 0) },
  { when: scripts.greet, then: ({ command, write }) => Effect.as(write(command.env?.["GREETING"] ?? ""), 0) },
  { when: scripts.count, then: ({ stdin, write }) => Effect.as(write(`${stdin.length}\n`), 0) },
  { when: scripts.flood, then: { output: "012345678\n".repeat(100_000) } },
  {
    when: scripts.pieces,
    then: ({ write }) => Effect.as(Effect.zipRight(write("one"), Effect.delay(write("two"), "300 millis")), 0)
  },
  {
    when: scripts.chatty,
    then: ({ write }) => Effect.as(Effect.repeatN(Effect.delay(write("."), "200 millis"), 4), 0)
  },
  { when: scripts.forever, then: ({ write }) => Effect.zipRight(write("started\n"), Effect.never) },
  { when: scripts.invalid, then: ({ write }) => Effect.as(write(Uint8Array.of(0x61, 0xff, 0x62)), 0) },
  { when: scripts.slow, then: { output: "done\n", after: "500 millis" } },
  { when: scripts.refuse, then: ({ complain }) => Effect.as(complain("no good\n"), 7) },
  { when: "cat", then: ({ stdin, write }) => Effect.as(write(stdin), 0) }
]

export const scriptedAnswers: Options = { commands }
