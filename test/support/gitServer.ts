/**
 * A git server on loopback: git's own `http-backend` behind a small HTTP server, with the faults that real ones have.
 */
import { Effect, type Scope } from "effect"
import { execFileSync, spawn } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it } from "vitest"
import type { CommitId } from "../../src/services/Ids.ts"
import { commitFiles, type FileSpec, makeBare } from "./gitRepository.ts"

/** What happens to a request instead of, or after, its being served. */
export type Fault =
  | { readonly _tag: "Status"; readonly status: number }
  /** A page for people, with status 200. */
  | { readonly _tag: "Page" }
  | { readonly _tag: "Redirect"; readonly location: string }
  /** Served in full, then answered with 502. */
  | { readonly _tag: "LostAnswer" }
  /** The connection is reset after so many bytes of the answer. */
  | { readonly _tag: "Cut"; readonly afterBytes: number }
  /** No answer comes at all. */
  | { readonly _tag: "Silence" }

/** `push` and `fetch` are the requests that move objects, `refs` those before them. */
export type Step = "refs" | "fetch" | "push"

export interface SeenRequest {
  readonly method: string
  readonly url: string
  readonly authorization: string | null
}

export interface GitServer {
  /** As ERRAND_TRUSTED_GIT_HOSTS has it. */
  readonly host: string
  readonly port: number
  readonly url: (name: string) => string
  /** The repository's directory on disk. */
  readonly path: (name: string) => string
  /** Makes a repository, with a first commit when there are files. */
  readonly create: (
    name: string,
    files?: Readonly<Record<string, FileSpec>>
  ) => Effect.Effect<{ readonly path: string; readonly url: string; readonly commit: CommitId | null }>
  /** From now on only this user and password are let in. */
  readonly requireSignIn: (user: string, password: string) => Effect.Effect<void>
  /** The next `times` requests of a step meet a fault. */
  readonly fail: (step: Step, fault: Fault, times?: number) => Effect.Effect<void>
  /** No more faults. */
  readonly heal: Effect.Effect<void>
  readonly requests: Effect.Effect<ReadonlyArray<SeenRequest>>
}

const execPath = () => {
  try {
    return execFileSync("git", ["--exec-path"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim()
  } catch {
    return ""
  }
}
const backend = join(execPath(), "git-http-backend")
const missing = existsSync(backend) ? "" : "git http-backend is not installed"

/** A `describe` for tests with a git server. Without one they are skipped, and fail when CI=true. */
export const describeWithGitServer = (name: string, tests: () => void) => {
  if (missing === "" || process.env["CI"] !== "true") {
    return describe.skipIf(missing !== "")(missing === "" ? name : `${name} (${missing})`, tests)
  }
  return describe(name, () => {
    it("has a git server", () => {
      throw new Error(`${missing}; Debian has it in the package git`)
    })
  })
}

/** Which step of git's protocol a request belongs to. */
export const stepOf = (url: URL): Step =>
  url.pathname.endsWith("/git-receive-pack") ? "push" : url.pathname.endsWith("/git-upload-pack") ? "fetch" : "refs"

/** One request through the CGI program; gives its whole answer. */
export const serveGit = (root: string, request: IncomingMessage, url: URL) =>
  new Promise<{ readonly status: number; readonly headers: Array<[string, string]>; readonly body: Buffer }>(
    (resolve, reject) => {
      const child = spawn(backend, [], {
        env: {
          PATH: process.env["PATH"] ?? "/usr/bin:/bin",
          GIT_PROJECT_ROOT: root,
          GIT_HTTP_EXPORT_ALL: "1",
          GIT_CONFIG_NOSYSTEM: "1",
          GIT_CONFIG_GLOBAL: "/dev/null",
          // Whoever came past the sign-in may push.
          REMOTE_USER: "somebody",
          REQUEST_METHOD: request.method ?? "GET",
          PATH_INFO: decodeURIComponent(url.pathname),
          QUERY_STRING: url.search.slice(1),
          CONTENT_TYPE: request.headers["content-type"] ?? "",
          HTTP_CONTENT_ENCODING: request.headers["content-encoding"] ?? "",
          GIT_PROTOCOL: String(request.headers["git-protocol"] ?? "")
        },
        stdio: ["pipe", "pipe", "ignore"]
      })
      const chunks: Array<Buffer> = []
      child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk))
      child.stdin.on("error", () => {})
      request.pipe(child.stdin)
      child.on("error", reject)
      child.on("close", () => {
        const answer = Buffer.concat(chunks)
        const end = answer.indexOf("\r\n\r\n")
        const headers = answer
          .subarray(0, end)
          .toString("latin1")
          .split("\r\n")
          .map((line): [string, string] => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()])
        const status = Number.parseInt(headers.find(([name]) => name === "Status")?.[1] ?? "200", 10)
        resolve({ status, headers: headers.filter(([name]) => name !== "Status"), body: answer.subarray(end + 4) })
      })
    }
  )

const page = "<!doctype html><title>Sorry</title><p>We are moving house.</p>"

const makeServer = () => {
  const root = mkdtempSync(join(tmpdir(), "errand-git-server-"))
  const requests: Array<SeenRequest> = []
  const faults: Array<{ readonly step: Step; readonly fault: Fault }> = []
  let signIn: string | undefined

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? "/", "http://localhost")
    const authorization = request.headers.authorization ?? null
    requests.push({ method: request.method ?? "", url: request.url ?? "", authorization })
    if (signIn !== undefined && authorization !== signIn) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end()
      return
    }
    const place = faults.findIndex(({ step }) => step === stepOf(url))
    const fault = place < 0 ? undefined : faults.splice(place, 1)[0]?.fault
    switch (fault?._tag) {
      case "Status":
        response.writeHead(fault.status, { "content-type": "text/plain" }).end("no\n")
        return
      case "Page":
        response.writeHead(200, { "content-type": "text/html" }).end(page)
        return
      case "Redirect":
        response.writeHead(301, { location: `${fault.location}${request.url}` }).end()
        return
      case "Silence":
        return
    }
    const { body, headers, status } = await serveGit(root, request, url)
    if (fault?._tag === "LostAnswer") {
      response.writeHead(502, { "content-type": "text/html" }).end(page)
      return
    }
    response.writeHead(status, [...headers, ["content-length", String(body.length)]].flat())
    if (fault?._tag === "Cut") {
      response.write(body.subarray(0, fault.afterBytes), () => response.destroy())
      return
    }
    response.end(body)
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  return { root, requests, faults, server, setSignIn: (value: string) => (signIn = value) }
}

/** A running server on a free port of loopback, gone with the scope. */
export const gitServer: Effect.Effect<GitServer, never, Scope.Scope> = Effect.acquireRelease(
  Effect.async<ReturnType<typeof makeServer>>((resume) => {
    const made = makeServer()
    made.server.listen(0, "127.0.0.1", () => resume(Effect.succeed(made)))
  }),
  ({ root, server }) =>
    Effect.sync(() => {
      server.closeAllConnections()
      server.close()
      rmSync(root, { recursive: true, force: true })
    })
).pipe(
  Effect.map(({ faults, requests, root, server, setSignIn }) => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    const path = (name: string) => join(root, `${name}.git`)
    const url = (name: string) => `http://127.0.0.1:${port}/${name}.git`
    return {
      host: `127.0.0.1:${port}`,
      port,
      url,
      path,
      create: (name, files) =>
        Effect.gen(function* () {
          yield* makeBare(path(name))
          const commit = files === undefined ? null : yield* commitFiles(path(name), files)
          return { path: path(name), url: url(name), commit }
        }),
      requireSignIn: (user, password) =>
        Effect.sync(() => setSignIn(`Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`)),
      fail: (step, fault, times = 1) =>
        Effect.sync(() => {
          for (let time = 0; time < times; time++) faults.push({ step, fault })
        }),
      heal: Effect.sync(() => void faults.splice(0)),
      requests: Effect.sync(() => [...requests])
    }
  })
)
