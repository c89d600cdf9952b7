/** Points around every git command that changes something or reaches a remote. */
import { Effect, Stream } from "effect"
import * as Process from "../../../../src/layers/git/process.ts"
import { point } from "../../faultPoint.ts"

export * from "../../../../src/layers/git/process.ts"

const watchedCommands = [
  "ls-remote",
  "init",
  "fetch",
  "pack-objects",
  "receive-pack",
  "commit-tree",
  "update-ref",
  "push"
]

/** The command's name, behind options of git itself. */
const commandOf = (args: ReadonlyArray<string>): string =>
  args.find((word, index) => !word.startsWith("-") && args[index - 1] !== "-c") ?? ""

const broken: Process.GitResult = {
  exitCode: 128,
  stdout: Buffer.alloc(0),
  stderr: "fatal: unable to access the repository: Recv failure: Connection reset by peer\n",
  cut: false
}

export const makeGit = (...surroundings: Parameters<typeof Process.makeGit>): Process.Git => {
  const git = Process.makeGit(...surroundings)
  return {
    open: git.open,
    run: (call) => {
      const command = commandOf(call.args)
      if (!watchedCommands.includes(command)) return git.run(call)
      const side = (where: string) => Effect.isSuccess(point(`git.${command}:${where}`, Effect.fail("broken")))
      return Effect.gen(function* () {
        if (!(yield* side("before"))) return broken
        const result = yield* git.run(call)
        return (yield* side("after")) ? result : broken
      })
    },
    stream: (call) => {
      const name = `git.${commandOf(call.args)}`
      const stopped = Effect.fail(new Process.GitStopped({ reason: "timeout" }))
      const side = (where: string) => Stream.drain(Stream.fromEffect(point(`${name}:${where}`, stopped)))
      return side("before").pipe(Stream.concat(git.stream(call)), Stream.concat(side("after")))
    }
  }
}
