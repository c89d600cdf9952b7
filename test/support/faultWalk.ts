/** One complete task, with one fault on its way: it is completed all the same, and everything holds afterwards. */
import { Effect, Exit, Scope } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import type { Action } from "../faults/catalogue.ts"
import { planVariable, traceVariable } from "../faults/faultPoint.ts"
import { Customer } from "./Customer.ts"
import { bundleWithFaults, Errand } from "./errand.ts"
import { gitText } from "./gitRepository.ts"
import { type GitHub, gitHub } from "./github/gitHub.ts"
import { untilIdle, violations } from "./invariants.ts"
import { type MessagesApi, messagesApi } from "./messagesApi.ts"

/** What happens, where, and at the how many-th passing. `inRecovery`: in the life after one that was killed at work. */
export interface Fault {
  readonly point: string
  readonly action: Action
  readonly at: number
  readonly inRecovery: boolean
}

export const showFault = ({ action, at, inRecovery, point }: Fault) =>
  `${action} at ${point}${at > 1 ? ` (${at})` : ""}${inRecovery ? " in recovery" : ""}`

export interface Walked {
  /** How often each point was passed, in all lives. */
  readonly passed: ReadonlyMap<string, number>
  readonly struck: boolean
  readonly lives: number
  /** What did not hold. */
  readonly violations: ReadonlyArray<string>
}

const apiKey = "sk-ant-canary-of-the-model"
const gitPassword = "canary-of-the-remote"
const patienceMs = 120_000

/** A call that the server did not see through is made again. */
const once = (name: string, tool: string, input: Readonly<Record<string, unknown>>) => ({
  name,
  text: "I go on.",
  tools: [{ name: tool, input }],
  goto: [{ step: name, when: { toolResult: { regexp: "^\\[interrupted" } } }] as const
})

const scenarios = [
  {
    name: "all tools",
    steps: [
      { tools: [{ name: "read_file", input: { path: "a.txt" } }, { name: "list_files" }] },
      // A directory that moves is for git to look at; edits of files the server sees by itself.
      once("command", "run_command", { command: "printf one > one.txt; mkdir g; mv g h; rmdir h" }),
      once("ask", "ask_user", { question: "Shall I go on?", choices: ["Yes", "No"] }),
      once("edit", "edit_file", { path: "a.txt", old_text: "a", new_text: "b" }),
      once("write", "write_file", { path: "w.txt", content: "w\n" }),
      once("look", "run_command", { command: "cat a.txt one.txt w.txt" }),
      { text: "It is done." }
    ]
  }
] as const

const permissions = { tester: "write" } as const
const before = { "a.txt": "a\n", "kept.txt": "k\n" }
const after = { "a.txt": "b\n", "kept.txt": "k\n", "one.txt": "one", "w.txt": "w\n" }

/** What all walks share: the remote's server, the model's, and a user. */
export class FaultWalks {
  readonly #scope = Effect.runSync(Scope.make())
  readonly #github: GitHub
  readonly #api: MessagesApi
  readonly #users: Errand
  #files = ""
  #walks = 0

  private constructor(github: GitHub, api: MessagesApi, users: Errand) {
    this.#github = github
    this.#api = api
    this.#users = users
  }

  static async prepare(): Promise<FaultWalks> {
    const scope = Effect.runSync(Scope.make())
    const github = await Effect.runPromise(Scope.extend(gitHub(), scope))
    const api = await Effect.runPromise(Scope.extend(messagesApi({ script: { scenarios } }), scope))
    const users = new Errand({})
    users.token = await users.makeToken("tester")
    const walks = new FaultWalks(github, api, users)
    await Effect.runPromise(Scope.addFinalizer(walks.#scope, Scope.close(scope, Exit.void)))
    const { repository } = await Effect.runPromise(github.create("acme/expected", { files: after, permissions }))
    walks.#files = await Effect.runPromise(gitText(repository.path, ["ls-tree", "-r", "main"]))
    github.state.addToken("tester", gitPassword)
    return walks
  }

  async dispose(): Promise<void> {
    await this.#users.dispose()
    await Effect.runPromise(Scope.close(this.#scope, Exit.void))
  }

  /** The task without a fault when there is none. */
  async walk(fault?: Fault): Promise<Walked> {
    const mark = `walk-${++this.#walks}-`
    const file = join(this.#users.temporaryDir, mark)
    const { repository, url } = await Effect.runPromise(
      this.#github.create(`acme/${mark}`, { files: before, permissions })
    )
    const errand = new Errand(
      {
        ANTHROPIC_API_KEY: apiKey,
        ANTHROPIC_BASE_URL: this.#api.url,
        ERRAND_MODEL: "claude-sonnet-4-5",
        ERRAND_TRUSTED_GIT_HOSTS: this.#github.host,
        ERRAND_GITHUB_URL: this.#github.url,
        ERRAND_GITHUB_API_URL: this.#github.apiUrl,
        [traceVariable]: file
      },
      bundleWithFaults
    )
    try {
      errand.takeUsersOf(this.#users)
      const life = new Lives(errand, livesFor(fault))
      const customer = new Customer(errand, patienceMs)
      const credential = { kind: "token", value: gitPassword }
      const stored = await customer.command(
        `git-credentials/${encodeURIComponent(this.#github.host)}`,
        credential,
        "PUT"
      )
      if (stored.status >= 300) throw new Error(`no credential: ${JSON.stringify(stored)}`)
      const id = await customer.submit({
        repository: { url },
        prompt: `Go on (${mark}).`,
        delivery: "pull_request"
      })
      const task = await customer.see(id, fault?.action === "fail" ? 1 : 0)
      // A fault at the very end strikes after the client has seen it.
      if (fault !== undefined) await waitFor(() => traceIn(file).includes(`! ${fault.point}`))
      await life.isWhole()
      const opened = (await errand.events(id)).filter(({ event }) => event.type === "pull_request.opened").length
      const { lives, code } = await life.end()
      const trace = traceIn(file)
      const passed = new Map<string, number>()
      for (const name of trace) passed.set(name, (passed.get(name) ?? 0) + 1)
      const found = await violations({
        errand,
        tasks: [{ id, mark, repository: repository.path, files: this.#files }],
        requests: this.#api.requests,
        mayMiss: lives - 1 + Number(fault !== undefined && givesUpTurn(fault)),
        secrets: [apiKey, gitPassword, errand.token]
      })
      return {
        passed,
        struck: trace.includes(`! ${fault?.point}`),
        lives,
        violations: [
          ...(task["status"] === "completed"
            ? []
            : [`the task is ${task["status"]}: ${JSON.stringify(task["error"])}\n${errand.output}`]),
          ...(code === 0 ? [] : [`the last server ended with ${code}: ${errand.output.slice(-2_000)}`]),
          ...(repository.pulls.length === 1 && opened === 1
            ? []
            : [`there are ${repository.pulls.length} pull requests, and ${opened} were told`]),
          ...found
        ]
      }
    } finally {
      await errand.dispose()
    }
  }
}

const strikesWithinMs = 20_000

const waitFor = async (condition: () => boolean) => {
  const deadline = Date.now() + strikesWithinMs
  while (!condition() && Date.now() < deadline) await sleep(20)
}

const traceIn = (file: string): ReadonlyArray<string> =>
  existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n") : []

/** The model answers while the work is saved; when that fails, nobody waits for the answer any more. */
const givesUpTurn = ({ action, point }: Fault): boolean =>
  action === "fail" && /^(?:sandbox\.(?:snapshot|collect)|git\.receive-pack):/.test(point)

/** What each life has to suffer. */
const livesFor = (fault: Fault | undefined): ReadonlyArray<string> => {
  if (fault === undefined) return []
  const plan = `${fault.point} ${fault.action} ${fault.at}`
  return fault.inRecovery ? ["commit.checkpoint.saved:after crash 1", plan] : [plan]
}

/** Starts a server again whenever it has died, each with what it has to suffer. */
class Lives {
  #lives = 0
  #over = false
  readonly #errand: Errand
  readonly #faults: ReadonlyArray<string>
  readonly #looking: Promise<void>

  constructor(errand: Errand, faults: ReadonlyArray<string>) {
    this.#errand = errand
    this.#faults = faults
    this.#looking = this.#look()
  }

  async #look() {
    while (!this.#over) {
      const fault = this.#faults[this.#lives++]
      await this.#errand.start(fault === undefined ? {} : { [planVariable]: fault }).catch((error: unknown) => {
        if (fault === undefined) throw error
      })
      await this.#errand.ended()
    }
  }

  /** Waits until there is a server that answers and has cleared up. */
  async isWhole() {
    const answers = () =>
      this.#errand.call("GET", "/healthz").then(
        ({ status }) => status === 200,
        () => false
      )
    while (!(await answers())) await sleep(20)
    await untilIdle(this.#errand)
  }

  /** Stops the last one in order. */
  async end() {
    this.#over = true
    const { code } = await this.#errand.stop("SIGTERM")
    await this.#looking
    return { lives: this.#lives, code }
  }
}
