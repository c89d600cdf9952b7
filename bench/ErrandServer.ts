/** The side of Errand: the server as users start it, tasks handed over by HTTP, a subscriber on its stream. */
import { execFile, spawn } from "node:child_process"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { fileIn, findBareRepositories } from "./bareRepositories.ts"
import { owned, ownContainers, stopProcess, temporaryDirectory } from "./cleanup.ts"
import { now } from "./clock.ts"
import { editedFile, fileAfter, lastEdit } from "./script.ts"
import { passedOn, settings } from "./settings.ts"
import type { Job, Side } from "./Side.ts"
import { Subscriber } from "./Subscriber.ts"

/** The remote that tasks work on. */
export interface Remote {
  readonly url: string
  /** `host:port`. */
  readonly host: string
  /** Its bare repository on this machine. */
  readonly directory: string
}

interface TaskView {
  readonly id: string
  readonly branch: string
}

const taskLabel = (id: string) => `errand.task=${id}`

const program = fileURLToPath(new URL("../errand.mjs", import.meta.url))

export const startErrand = async (modelUrl: string, remote: Remote): Promise<Side> => {
  const dataDir = await temporaryDirectory()
  const env = {
    ...passedOn,
    ERRAND_DATA_DIR: dataDir,
    ERRAND_PORT: "0",
    ERRAND_SANDBOX: "docker",
    ERRAND_SANDBOX_IMAGE: settings.image,
    ERRAND_MAX_RUNNING: String(settings.crowd),
    ERRAND_MAX_RUNNING_PER_USER: String(settings.crowd),
    ERRAND_TRUSTED_GIT_HOSTS: remote.host,
    ANTHROPIC_API_KEY: "none-is-needed",
    ANTHROPIC_BASE_URL: modelUrl
  }
  const made = await promisify(execFile)(process.execPath, [program, "token", "create", "--login", "bench"], { env })
  const token = /errand_pat_\S+/.exec(made.stdout)?.[0] ?? ""

  const startedAt = now()
  const child = owned(
    spawn(process.execPath, [...settings.serverOptions, program, "serve"], {
      env,
      stdio: ["ignore", "pipe", "inherit"]
    })
  )
  const url = await listening(child.stdout)
  await fetch(`${url}/healthz`)
  const startMs = now() - startedAt
  const subscriber = await Subscriber.connect(url, token)

  const call = async <A>(method: string, path: string, body?: unknown): Promise<A> => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) })
    })
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
    const answer: A = JSON.parse(await response.text())
    return answer
  }

  let labels: ReadonlyArray<string> = []

  const submit = async ({ prompt }: Job): Promise<TaskView> => {
    const task = await call<TaskView>("POST", "/tasks", { repository: { url: remote.url }, prompt })
    ownContainers(taskLabel(task.id))
    return task
  }

  /** The last checkpoint in the server's own repository, and the branch at the remote, hold the last edit. */
  const check = async (task: TaskView, { steps }: Job): Promise<void> => {
    if (lastEdit(steps) === 0) return
    const expected = fileAfter(lastEdit(steps))
    const checkpoints = await call<{ items: ReadonlyArray<{ commit: string }> }>("GET", `/tasks/${task.id}/checkpoints`)
    const commit = checkpoints.items[0]?.commit ?? "no checkpoint"
    const stores = await findBareRepositories(join(dataDir, "repositories"))
    const saved = await Promise.all(stores.map((store) => fileIn(store, commit, editedFile)))
    if (!saved.includes(expected))
      throw new Error(`the last checkpoint (${commit}) can't be read in the bare repository`)
    const pushed = await fileIn(remote.directory, `refs/heads/${task.branch}`, editedFile)
    if (pushed !== expected) throw new Error(`the branch ${task.branch} at the remote does not hold the work`)
  }

  return {
    name: "errand",
    pid: child.pid ?? 0,
    startMs,
    labels: () => labels,
    doTasks: async (jobs) => {
      const tasks = await Promise.all(jobs.map(submit))
      labels = tasks.map(({ id }) => taskLabel(id))
      const received = await Promise.all(tasks.map(({ id }) => subscriber.follow(id)))
      return {
        received,
        check: async () => {
          for (const [index, job] of jobs.entries()) {
            const task = tasks[index]
            if (task !== undefined) await check(task, job)
          }
        }
      }
    },
    stop: async () => {
      subscriber.close()
      await stopProcess(child)
    }
  }
}

/** The address in the one line that `serve` prints once it answers. What it prints later is read too: a full pipe would stop it. */
const listening = (output: NodeJS.ReadableStream): Promise<string> =>
  new Promise((resolve, reject) => {
    const lines = createInterface({ input: output })
    lines.on("line", (line) => {
      const url = /http:\/\/[^\s"]+/.exec(line)?.[0]
      if (url !== undefined) resolve(url.replace(/\/+$/, ""))
    })
    lines.on("close", () => reject(new Error("the server ended before it answered")))
  })
