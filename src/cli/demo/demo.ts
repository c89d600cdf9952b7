/**
 * What `errand demo` does: everything that a server does, on this machine and for a few seconds.
 *
 * Owns: the stage (a directory, a remote, a server, a token), and asking the remote in the end.
 * Does not own: anything that happens on it: server, client and display are those of `serve` and `run`.
 */
import { FileSystem } from "@effect/platform"
import { Config, Effect, Layer, Logger, LogLevel, Option, Schema } from "effect"
import { basename, delimiter, dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import * as AppConfigEnv from "../../layers/AppConfigEnv.ts"
import { withToken } from "../client/Connection.ts"
import { make } from "../client/ErrandClient.ts"
import { submit } from "../client/runTask.ts"
import { watchTask } from "../client/watchTask.ts"
import { Interrupted } from "../outcome.ts"
import { blank, hanging, indented, line, span } from "../render/Line.ts"
import { print, writeJson } from "../Screen.ts"
import { withAccounts } from "../server/accounts.ts"
import { checkBash, checkGit } from "../server/checkMachine.ts"
import { ServerProcess } from "../ServerProcess.ts"
import { Signals } from "../Signals.ts"
import { prompt, title } from "./project.ts"
import { askRemote, makeRemote } from "./remote.ts"
import { script } from "./script.ts"
import { tellDiff } from "../render/tellDiff.ts"

/** The demo can't be given here, or did not end as it should. */
export class DemoFailed extends Schema.TaggedError<DemoFailed>()("DemoFailed", { problem: Schema.String }) {
  override get message() {
    return this.problem
  }
}

interface DemoOptions {
  readonly json: boolean
  readonly keep: boolean
}

const encodeScript = Schema.encodeSync(Schema.parseJson(Schema.Unknown))

/** What runs this, Node or the executable with Node inside, by its name where that finds it. */
const testCommand = Effect.gen(function* () {
  const path = yield* Config.string("PATH").pipe(Config.withDefault(""))
  const isOnPath = path.split(delimiter).includes(dirname(process.execPath))
  return `${isOnPath ? basename(process.execPath) : `'${process.execPath.replaceAll("'", `'\\''`)}'`} --test --test-reporter=spec`
})

const fact = (name: string, text: string) => hanging(9, line(span(name.padEnd(9), "quiet"), text))

const introduce = (url: string, remote: string) =>
  print(
    line(span("Errand, from submission to pushed branch", "strong")),
    ...indented(2, [
      fact("model", "scripted: it plays a script, and no Claude is asked"),
      fact("sandbox", "a directory of this machine, for the demo alone; servers use containers"),
      fact("server", url),
      fact("remote", remote)
    ]),
    blank
  )

const play = Effect.fn("demo")(function* (options: DemoOptions) {
  const files = yield* FileSystem.FileSystem
  const prefix = "errand-demo-"
  const stage = yield* options.keep ? files.makeTempDirectory({ prefix }) : files.makeTempDirectoryScoped({ prefix })
  const remote = yield* makeRemote(stage)
  const scriptFile = join(stage, "script.json")
  yield* files.writeFileString(scriptFile, encodeScript(script(yield* testCommand)))
  const settings = AppConfigEnv.layerWith({
    port: 0,
    dataDir: join(stage, "data"),
    sandbox: { adapter: "process", defaultNetwork: "open" },
    model: { name: "scripted", script: Option.some(scriptFile) },
    allowLocalRepositories: true,
    diskFloorBytes: 0
  })
  const server = yield* (yield* ServerProcess).start(settings)
  const { token } = yield* Effect.flatMap(Layer.build(settings), (context) =>
    withAccounts((accounts) => accounts.createToken("demo", { name: "demo", scopes: ["read", "write"] })).pipe(
      Effect.provide(context)
    )
  )
  yield* options.json ? writeJson({ type: "listening", url: server.url }) : introduce(server.url, remote)

  const connection = withToken(server.url, token)
  const client = yield* make(connection)
  const request = {
    repository: { url: pathToFileURL(remote).href },
    prompt,
    title,
    network: { mode: "open" }
  } as const
  const { id } = yield* submit(client, request, options)
  const status = yield* watchTask(connection, client, id, { ...options, until: "final" })
  const task = yield* client.tasks.get({ path: { taskId: id } })
  if (status !== "completed")
    return yield* new DemoFailed({ problem: `The task should be completed, and is ${status}.` })

  const found = yield* askRemote(remote, task.branch)
  if (found.commit !== task.headCommit || found.diff === "") {
    return yield* new DemoFailed({
      problem: `The remote has ${found.commit} on ${found.branch}, where the server says ${task.headCommit}.`
    })
  }
  yield* options.json
    ? writeJson({ type: "result", remote, ...found })
    : conclude(found, options.keep ? stage : undefined)
})

/** `stage`: where everything is left. */
const conclude = (
  { branch, commit, diff, subject }: Effect.Effect.Success<ReturnType<typeof askRemote>>,
  stage: string | undefined
) =>
  print(
    blank,
    line(
      span("The remote has", "strong"),
      span(
        stage === undefined ? " (asked with git, before all of this is removed again)" : ` (all is left in ${stage})`,
        "quiet"
      )
    ),
    ...indented(2, [
      line(span("branch  ", "quiet"), span(branch, "accent")),
      line(span("commit  ", "quiet"), `${commit.slice(0, 10)} ${subject}`),
      ...tellDiff(diff)
    ])
  )

export const demo = Effect.fn("demo")(
  function* (options: DemoOptions) {
    for (const { check, detail, remedy, status } of [yield* checkGit, yield* checkBash]) {
      if (status === "ok") continue
      return yield* new DemoFailed({ problem: `The demo needs ${check}, and ${detail}. ${remedy ?? ""}` })
    }
    const signal = yield* Effect.raceFirst(Effect.scoped(play(options)), (yield* Signals).first)
    if (signal !== undefined) return yield* new Interrupted({ signal })
  },
  // The server's own log is told by the events already.
  Logger.withMinimumLogLevel(LogLevel.Warning)
)
