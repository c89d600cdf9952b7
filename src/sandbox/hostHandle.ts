/** What can be done in a sandbox that is a directory of this host. */
import * as NodeStream from "@effect/platform-node/NodeStream"
import { Clock, Effect, Ref, Stream } from "effect"
import { join, resolve } from "node:path"
import type { Writable } from "node:stream"
import { type Command, type CommandResult, PipeFailed, type SandboxHandle, SandboxLost } from "../services/Sandbox.ts"
import { bounded } from "./bounded.ts"
import { refusedCommand, startFailure } from "./commandWords.ts"
import { readFile, writeFile } from "./hostFiles.ts"
import { type HostProgram, start } from "./HostProcess.ts"
import { KeptOutput } from "./KeptOutput.ts"

/** Bytes of standard error that a failed pipe reports. */
const complaintBytes = 4_096

const lost = (error: unknown) =>
  new SandboxLost({
    detail: `No process could be started on this host: ${error instanceof Error ? error.message : String(error)}`
  })

/** True once the program took it; false when it wants no more. */
const write = (stdin: Writable, chunk: Uint8Array) =>
  Effect.async<boolean>((resume) => {
    stdin.write(chunk, (error) => resume(Effect.succeed(error === null || error === undefined)))
  })

const feed = <E>(stdin: Writable, input: Stream.Stream<Uint8Array, E>) =>
  Stream.runForEachWhile(input, (chunk) => write(stdin, chunk)).pipe(
    Effect.zipRight(Effect.sync(() => void stdin.end()))
  )

/** `place` is a directory of `hostDirectory.ts`, `path` the search path for programs. */
export const make = Effect.fnUntraced(function* (place: string, path: string) {
  const root = join(place, "root")
  const started = yield* Ref.make(0)
  // Nothing of the server's own environment: there are keys in it.
  const environment = {
    PATH: path,
    HOME: join(place, "home"),
    TMPDIR: join(place, "tmp"),
    LANG: "C.UTF-8",
    PAGER: "cat",
    GIT_PAGER: "cat",
    GIT_TERMINAL_PROMPT: "0"
  }

  const program = (command: Pick<Command, "argv" | "cwd" | "env">, merged: boolean) =>
    Effect.map(
      Ref.updateAndGet(started, (count) => count + 1),
      (count): HostProgram => ({
        argv: command.argv,
        root,
        cwd: resolve(root, command.cwd ?? "."),
        env: { ...environment, ...command.env },
        mark: `${place}:${count}:`,
        merged
      })
    )

  const execute = Effect.fnUntraced(function* (
    command: Command,
    heard: () => number,
    onChunk: (chunk: Uint8Array) => void
  ) {
    const running = yield* start(yield* program(command, true))
    running.stdout.on("data", onChunk)
    running.stdin.end(command.stdin)
    return yield* bounded(command, heard, running.ended)
  }, Effect.scoped)

  const run: SandboxHandle["run"] = (command, onOutput) => {
    const refused = refusedCommand(command)
    if (refused !== undefined) return Effect.succeed(refused)
    return Effect.gen(function* () {
      const kept = KeptOutput.halves(command.outputLimit)
      const began = yield* Clock.currentTimeMillis
      const heard = () => kept.bytes
      const end = yield* execute(command, heard, (chunk) => {
        kept.push(chunk)
        onOutput?.(chunk)
      })
      const result: CommandResult = {
        ...end,
        output: kept.text,
        bytes: kept.bytes,
        durationMs: (yield* Clock.currentTimeMillis) - began
      }
      return result
    }).pipe(
      Effect.catchTag("NotStarted", (error) =>
        error.code === "E2BIG" ? Effect.succeed(startFailure("the arguments are too long")) : lost(error)
      )
    )
  }

  const pipe: SandboxHandle["pipe"] = (argv, input) =>
    Stream.unwrapScoped(
      Effect.gen(function* () {
        const running = yield* Effect.mapError(start(yield* program({ argv }, false)), lost)
        const complaint = new KeptOutput(0, complaintBytes)
        running.stderr.on("data", (chunk: Uint8Array) => complaint.push(chunk))
        const output = NodeStream.fromReadable<SandboxLost, Uint8Array>(() => running.stdout, lost)
        const verdict = Effect.flatMap(running.ended, (exitCode) =>
          exitCode === 0 ? Effect.void : new PipeFailed({ exitCode, stderr: complaint.text })
        )
        return output.pipe(
          Stream.merge(Stream.drain(Stream.fromEffect(feed(running.stdin, input))), { haltStrategy: "left" }),
          Stream.concat(Stream.drain(Stream.fromEffect(verdict)))
        )
      })
    )

  const handle: SandboxHandle = {
    root,
    run,
    pipe,
    readFile: (path, range) => readFile(root, path, range),
    writeFile: (path, bytes) => writeFile(root, path, bytes),
    treeChanged: Effect.succeed(true),
    edits: Effect.succeedNone,
    refusals: Effect.succeed([])
  }
  return handle
})
