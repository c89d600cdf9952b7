/** A command line that a shell has waited for does what it does in a new shell. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import type { SandboxHandle } from "../../src/services/Sandbox.ts"
import { dockerSandbox } from "../support/dockerSandbox.ts"
import { describeWithEngine } from "../support/engine.ts"
import { sh, testIn } from "../support/sandboxContract.ts"

const commandLines = [
  'echo $0 $# "$*"',
  "nonsense",
  "exit 7",
  "false",
  "set -e; false; echo not reached",
  "set -u; echo $nothing",
  "kill -9 $$",
  "trap 'echo bye' EXIT; exit 3",
  "echo $LINENO\n\necho $LINENO; nonsense",
  "cat <<end\nhere\nend",
  "cat <<end\nno end",
  'read line; echo "$? [$line]"; readlink /proc/self/fd/0',
  "ls /proc/self/fd",
  "printf '\\377\\376' | od -c",
  "echo $'\u{fc}\\xff' | od -c",
  "# nothing",
  "",
  "exec echo it",
  "echo out; echo err >&2",
  'f() { echo "$1"; }; f \'a  b\' | cat; echo "$(f nested)" $-',
  "(sleep 0.1; echo later) & wait; echo $?",
  `echo ${"x".repeat(8_000)} | wc -c`
]

const inNewShell = (text: string) => ["bash", "-c", text, "bash"] as const
const inWaitingShell = (text: string) => ["bash", "-c", text] as const

/** The shell in which `text` runs has been started before, by the end of another command. */
const parentOf = (handle: SandboxHandle) =>
  Effect.map(handle.run({ ...sh(""), argv: inWaitingShell("tr '\\0' ' ' </proc/$$/cmdline") }), ({ output }) => output)

describeWithEngine("a shell that waits for its command", () => {
  const test = testIn(dockerSandbox("test-waiting-shell"))

  test("does what a new one does", (handle) =>
    Effect.gen(function* () {
      for (const text of commandLines) {
        const [anew, waited] = [
          yield* handle.run({ ...sh(""), argv: inNewShell(text) }),
          yield* handle.run({ ...sh(""), argv: inWaitingShell(text) })
        ]
        assert.deepStrictEqual(
          [text, waited.exitCode, waited.output, waited.bytes],
          [text, anew.exitCode, anew.output, anew.bytes]
        )
      }
      const broken = yield* handle.run({ ...sh(""), argv: inWaitingShell("echo begun\nif") })
      assert.strictEqual(broken.exitCode, 2)
      assert.match(broken.output, /^begun\nbash: .*line 3: syntax error: unexpected end of file\n$/)
    }))

  test("was there before, and is there again when somebody has killed it", (handle) =>
    Effect.gen(function* () {
      assert.match(yield* parentOf(handle), /^tr |^bash -c tr /)
      assert.match(yield* parentOf(handle), /^bash -c IFS= read/)
      yield* handle.run(sh("kill -9 -1"))
      yield* Effect.sleep("200 millis")
      assert.match(yield* parentOf(handle), /^bash -c IFS= read/)
    }))

  test("is killed with all it started when its time is up", (handle) =>
    Effect.gen(function* () {
      yield* handle.run({ ...sh(""), argv: inWaitingShell("true") })
      const endless = { ...sh(""), argv: inWaitingShell("setsid sleep 4321 & sleep 1234"), timeoutMs: 500 }
      assert.isTrue((yield* handle.run(endless)).timedOut)
      const left = yield* handle.run(sh("ps -e -o args= | grep -c '[s]leep'"))
      assert.strictEqual(left.output, "0\n")
    }))
})
