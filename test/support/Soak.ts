/** Many small jobs on one server that has a hard time: handed in, worked off, and looked at when all are done. */
import { Effect, Exit, Scope } from "effect"
import type Docker from "dockerode"
import { setTimeout as sleep } from "node:timers/promises"
import type { Fault } from "../../src/layers/scripted/Script.ts"
import { Customer } from "./Customer.ts"
import { tasksInContainers } from "./containers.ts"
import { Errand, type Json } from "./errand.ts"
import { gitText } from "./gitRepository.ts"
import { type GitServer, gitServer } from "./gitServer.ts"
import { type Submitted, untilIdle, violations } from "./invariants.ts"
import { type MessagesApi, messagesApi } from "./messagesApi.ts"
import { Subscriber } from "./subscriber.ts"

export interface SoakOptions {
  /** Commands that each task runs, one after the other. */
  readonly steps: number
  /** How long the model thinks before each. */
  readonly delayMs: number
  readonly mishap?: () => Fault | undefined
  readonly environment?: Readonly<Record<string, string>>
  readonly docker?: Docker
}

export const running = 4
const patienceMs = 900_000
const apiKey = "sk-ant-canary-of-the-model"

/** Each command adds one file after those that are there, so that one that was lost is made up for, and none counts twice. */
const count = 'n=$(($(ls step-* 2>/dev/null | wc -l) + 1)); echo $n > step-$n; echo "now $n."'

const scenarioOf = ({ delayMs, steps }: SoakOptions) => ({
  name: "count",
  steps: [
    {
      name: "again",
      text: "One step further, and another one after that.",
      tools: [{ name: "run_command", input: { command: count } }],
      delayMs,
      goto: [{ step: "again", unless: { toolResult: `now ${steps}.` } }] as const
    },
    { text: "That was all." }
  ] as const
})

const filesAfter = (steps: number) =>
  Object.fromEntries(Array.from({ length: steps }, (_, index) => [`step-${index + 1}`, `${index + 1}\n`]))

export class Soak {
  readonly errand: Errand
  readonly tasks: Array<Submitted> = []
  readonly ended = new Map<string, Json>()
  readonly #options: SoakOptions
  readonly #scope: Scope.CloseableScope
  readonly #git: GitServer
  readonly #api: MessagesApi
  readonly #customer: Customer
  readonly #files: string
  readonly #watching: Array<Promise<void>> = []
  readonly #faults: Array<string> = []

  private constructor(
    options: SoakOptions,
    scope: Scope.CloseableScope,
    git: GitServer,
    api: MessagesApi,
    files: string
  ) {
    this.#options = options
    this.#scope = scope
    this.#git = git
    this.#api = api
    this.#files = files
    this.errand = new Errand({
      ANTHROPIC_API_KEY: apiKey,
      ANTHROPIC_BASE_URL: api.url,
      ERRAND_MODEL: "claude-sonnet-4-5",
      ERRAND_TRUSTED_GIT_HOSTS: git.host,
      ERRAND_MAX_RUNNING: String(running),
      ERRAND_MAX_RUNNING_PER_USER: String(running),
      ...options.environment
    })
    this.#customer = new Customer(this.errand, patienceMs)
  }

  static async prepare(options: SoakOptions): Promise<Soak> {
    const scope = Effect.runSync(Scope.make())
    const git = await Effect.runPromise(Scope.extend(gitServer, scope))
    const script = { scenarios: [scenarioOf(options)] } as const
    const { mishap } = options
    const api = await Effect.runPromise(
      Scope.extend(messagesApi({ script, keepBodies: false, ...(mishap === undefined ? {} : { mishap }) }), scope)
    )
    const { path } = await Effect.runPromise(git.create("expected", { "a.txt": "a\n", ...filesAfter(options.steps) }))
    const files = await Effect.runPromise(gitText(path, ["ls-tree", "-r", "main"]))
    return new Soak(options, scope, git, api, files)
  }

  get served(): number {
    return this.#api.requests.length
  }

  get inFlight(): number {
    return this.tasks.length - this.ended.size
  }

  /** Hands in tasks until there are so many that have not ended. */
  async keepInFlight(wanted: number): Promise<void> {
    while (this.inFlight < wanted) {
      const mark = `soak-${this.tasks.length + 1}-`
      const { path, url } = await Effect.runPromise(this.#git.create(mark, { "a.txt": "a\n" }))
      const limits = { maxTurns: 1_000, maxCostUsd: 100, maxDurationSeconds: 7_200 }
      const id = await this.#customer.submit({ repository: { url }, prompt: `Count (${mark}).`, limits })
      this.tasks.push({ id, mark, repository: path, files: this.#files })
      this.#watching.push(this.#watch(id))
    }
  }

  async #watch(id: string): Promise<void> {
    const task = await this.#customer.see(id).catch((error: unknown) => ({ status: String(error) }))
    this.ended.set(id, task)
  }

  /** Waits until all have ended. */
  async finish(): Promise<void> {
    await Promise.all(this.#watching)
  }

  /** How many are running now; and what is wrong with their containers, if anything. */
  async look(): Promise<number> {
    const { body } = await this.errand.call("GET", "tasks?status=running&limit=100")
    const inContainers = await tasksInContainers(this.errand.dataDir, this.#options.docker)
    const twice = inContainers.filter((task, index) => inContainers.indexOf(task) < index)
    this.#faults.push(...twice.map((task) => `I3: ${task} has two containers`))
    return (body["items"] as ReadonlyArray<Json>).length
  }

  /** A client of the stream that reconnects for as long as `during` takes. */
  async observed<A>(during: Promise<A>): Promise<A> {
    const watcher = new Subscriber(this.errand, ["inbox", ...this.tasks.map(({ id }) => `task:${id}`)])
    const state = { over: false }
    const reconnecting = (async () => {
      while (!state.over) {
        if (await watcher.connect()) await watcher.closed()
        await sleep(100)
      }
    })()
    try {
      return await during
    } finally {
      state.over = true
      watcher.vanish()
      await reconnecting
      this.#faults.push(...watcher.faults.map((fault) => `I2: a client saw ${fault}`))
    }
  }

  /** Stops the server in order, and says what does not hold. */
  async verdict({ mayMiss }: { readonly mayMiss: number }): Promise<ReadonlyArray<string>> {
    const { docker } = this.#options
    await untilIdle(this.errand, docker)
    const left = await tasksInContainers(this.errand.dataDir, docker)
    const { code } = await this.errand.stop("SIGTERM")
    const found = await violations({
      errand: this.errand,
      tasks: this.tasks,
      requests: this.#api.requests,
      mayMiss,
      secrets: [apiKey, this.errand.token],
      ...(docker === undefined ? {} : { docker })
    })
    const unfinished = [...this.ended].filter(([, task]) => task["status"] !== "completed")
    return [
      ...unfinished.map(([id, task]) => `${id} is ${task["status"]}: ${JSON.stringify(task["error"])}`),
      ...left.map((task) => `I3: ${task} has ended and has a container`),
      ...(code === 0 ? [] : [`the server ended with ${code}`]),
      ...this.#faults,
      ...found
    ]
  }

  async dispose(): Promise<void> {
    await this.errand.dispose()
    await Effect.runPromise(Scope.close(this.#scope, Exit.void))
  }
}
