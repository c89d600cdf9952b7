/**
 * The command line.
 *
 * Owns: which commands there are, and what happens around each of them.
 * Does not own: what they do; a command's code is loaded when it is called.
 */
import { CliConfig, Command } from "@effect/cli"
import { Cause, Console, Effect, Exit, Option } from "effect"
import { stripVTControlCharacters } from "node:util"
import { version as number } from "../http/api/version.ts"
import { separateValues } from "./argv.ts"
import { backup } from "./commands/backup.ts"
import { demo } from "./commands/demo.ts"
import { doctor } from "./commands/doctor.ts"
import * as Key from "./commands/key.ts"
import { login, logout } from "./commands/login.ts"
import { logs } from "./commands/logs.ts"
import { restore } from "./commands/restore.ts"
import { pair } from "./commands/pair.ts"
import { run } from "./commands/run.ts"
import * as Secrets from "./commands/secrets.ts"
import { serve } from "./commands/serve.ts"
import { tasks } from "./commands/tasks.ts"
import * as Token from "./commands/token.ts"
import { version } from "./commands/version.ts"
import { explainCause } from "./explain.ts"
import { asksForHelp, tellHelp, type Topic, topicAt } from "./help.ts"
import { exitCodeOf, WrongUsage } from "./outcome.ts"
import { print } from "./Screen.ts"

const commands = Command.make("errand").pipe(
  Command.withDescription("Errand does coding errands: hand it a repository and a prompt, get a branch back."),
  Command.withSubcommands([
    serve,
    demo,
    run,
    tasks,
    logs,
    login,
    logout,
    pair,
    Secrets.secrets,
    Token.token,
    Key.key,
    doctor,
    backup,
    restore,
    version
  ])
)

const topic = (
  name: string,
  { descriptor }: { readonly descriptor: Topic["descriptor"] },
  below: ReadonlyArray<Topic> = []
): Topic => ({ name, descriptor, below })

const topics = topic("errand", commands, [
  topic("serve", serve),
  topic("demo", demo),
  topic("run", run),
  topic("tasks", tasks),
  topic("logs", logs),
  topic("login", login),
  topic("logout", logout),
  topic("pair", pair),
  topic("secrets", Secrets.secrets, [
    topic("set", Secrets.set),
    topic("list", Secrets.list),
    topic("remove", Secrets.remove)
  ]),
  topic("token", Token.token, [
    topic("create", Token.create),
    topic("list", Token.list),
    topic("revoke", Token.revoke)
  ]),
  topic("key", Key.key, [topic("rotate", Key.rotate), topic("rotate-signing", Key.rotateSigning)]),
  topic("doctor", doctor),
  topic("backup", backup),
  topic("restore", restore),
  topic("version", version)
])

const parser = CliConfig.make({ isCaseSensitive: true, showBuiltIns: false })

const plain = (text: unknown) => stripVTControlCharacters(String(text)).trimEnd()

/** The parser's texts, without the colours that it gives to files too and without blank lines at their end. */
const withPlainTexts = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.consoleWith((console) => {
    return Effect.withConsole(effect, {
      ...console,
      log: (...texts) => console.log(...texts.map(plain)),
      error: (...texts) => console.error(...texts.map(plain))
    } satisfies Console.Console)
  })

const parseAndRun = (words: ReadonlyArray<string>) =>
  Effect.consoleWith((console) => {
    const handled = Command.transformHandler(commands, (handler) => Effect.withConsole(handler, console))
    return Command.run(handled, { name: "errand", version: number, executable: "errand" })([
      "node",
      "errand",
      ...separateValues(words)
    ]).pipe(Effect.provideService(CliConfig.CliConfig, parser), withPlainTexts)
  })

const isWrongUsage = (error: unknown) => exitCodeOf(Exit.fail(error)) === 2

const report = Effect.fnUntraced(function* (path: ReadonlyArray<string>, cause: Cause.Cause<unknown>) {
  const [first, ...more] = explainCause(cause)
  if (first !== undefined) yield* Console.error([`errand: ${first}`, ...more].join("\n"))
  if (Option.exists(Cause.failureOption(cause), isWrongUsage)) {
    yield* Console.error(`See: ${command([...path, "--help"])}`)
  }
})

const command = (words: ReadonlyArray<string>) => ["errand", ...words].join(" ")

/** What the parser itself understands where a command should stand. */
const ofTheParser = /^--(?:version|completions|log-level|wizard)\b/

/** The word that stands where the name of a command should. */
const misnamed = (topic: Topic, next: string): WrongUsage | undefined =>
  topic.below.length === 0 || ofTheParser.test(next)
    ? undefined
    : new WrongUsage({
        problem: next.startsWith("-") ? `Unknown option ${next}.` : `There is no command "${next}" here.`
      })

/** Runs the command that these words name; whatever it fails with has been told when it ends. */
export const errand = (words: ReadonlyArray<string>) => {
  const { path, topic } = topicAt(topics, words)
  const next = words[path.length]
  const help = Effect.suspend(() => print(...tellHelp(path, topic)))
  if (asksForHelp(words)) return help
  if (topic.below.length > 0 && next === undefined) return Effect.zipRight(help, new WrongUsage({ problem: "" }))
  return Effect.tapErrorCause((next === undefined ? undefined : misnamed(topic, next)) ?? parseAndRun(words), (cause) =>
    report(path, cause)
  )
}
