/** The units of deploy/ under systemd, on a Debian that is installed as their first lines say. */
import { Effect, Exit, Scope } from "effect"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it, vi } from "vitest"
import { Bridge } from "../support/bridge.ts"
import {
  asPrivileged,
  build,
  buildServer,
  controlGroups,
  docked,
  docker,
  engineSocket,
  placeOfControlGroups,
  root
} from "../support/docker.ts"
import { describeWithEngine } from "../support/engine.ts"
import type { Json } from "../support/errand.ts"
import { gitText } from "../support/gitRepository.ts"
import { type GitServer, gitServer } from "../support/gitServer.ts"
import { messagesApi } from "../support/messagesApi.ts"
import { S3 } from "../support/s3.ts"

const scenarios = [
  {
    name: "long",
    match: "Long",
    steps: [
      { tools: [{ name: "run_command", input: { command: "echo kept > kept.txt" } }] },
      { tools: [{ name: "run_command", input: { command: "sleep 600", timeout_seconds: 700 } }] },
      { text: "Done." }
    ]
  },
  {
    name: "short",
    steps: [{ tools: [{ name: "run_command", input: { command: "echo made > made.txt" } }] }, { text: "Done." }]
  }
] as const

const image = "errand-test-systemd"
const dockerfile = `FROM debian:bookworm-slim
RUN apt-get update \\
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends systemd dbus ca-certificates git \\
 && rm -rf /var/lib/apt/lists/*
STOPSIGNAL SIGRTMIN+3
CMD ["/lib/systemd/systemd"]
`
const litestream = createRequire(import.meta.url).resolve("@flydotio/litestream-linux-x64/litestream")

/** As the executable is asked by hand with the settings of the service; docs/operations.md tells it so. */
const asService =
  "systemd-run --quiet --pipe --wait -p User=errand -p SupplementaryGroups=docker -p EnvironmentFile=/etc/errand.env -E ERRAND_DATA_DIR=/var/lib/errand errand"

describeWithEngine("systemd", () => {
  const scope = Effect.runSync(Scope.make())
  const bridge = new Bridge()
  const s3 = new S3()
  const place = mkdtempSync(join(tmpdir(), "errand-systemd-"))
  const name = `errand-test-systemd-${process.pid}`
  let git: GitServer
  let gitHost = ""
  let token = ""

  const inside = (command: string) => docker("exec", name, "bash", "-c", command)
  const done = (command: string) => docked("exec", name, "bash", "-c", command)
  const property = (of: string, unit = "errand") => done(`systemctl show --value --property ${of} ${unit}`)
  const ready = async (): Promise<Json> =>
    JSON.parse(
      await done(
        `exec 3<>/dev/tcp/127.0.0.1/8787; printf 'GET /readyz HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3; tail -n 1 <&3`
      )
    ) as Json
  const answers = () => vi.waitFor(ready, { timeout: 30_000, interval: 250 })

  const run = async (repository: string, prompt: string, ...options: ReadonlyArray<string>) => {
    const { path } = await Effect.runPromise(git.create(repository, { "a.txt": "a\n" }))
    const words = ["run", ...options, `http://${gitHost}/${repository}.git`, `'${prompt}'`].join(" ")
    return { path, ...(await inside(`ERRAND_TOKEN=${token} errand ${words}`)) }
  }

  const newestTask = async () =>
    JSON.parse((await inside(`ERRAND_TOKEN=${token} errand tasks --json`)).stdout.split("\n")[0] ?? "{}") as Json

  beforeAll(async () => {
    buildServer()
    writeFileSync(join(place, "Dockerfile"), dockerfile)
    build(image, place)
    git = await Effect.runPromise(Scope.extend(gitServer, scope))
    const api = await Effect.runPromise(Scope.extend(messagesApi({ script: { scenarios } }), scope))
    await s3.start()
    gitHost = await bridge.carry(git.port)
    const settings = {
      ANTHROPIC_API_KEY: "sk-test",
      ANTHROPIC_BASE_URL: `http://${await bridge.carry(Number(new URL(api.url).port))}`,
      ERRAND_MODEL: "claude-sonnet-4-5",
      ERRAND_TRUSTED_GIT_HOSTS: gitHost,
      ERRAND_LITESTREAM_URL: "http://127.0.0.1:9090/metrics",
      DOCKER_HOST: "unix:///srv/engine.sock"
    }
    const file = (from: string, to: string) => docked("cp", from, `${name}:${to}`)
    const write = (path: string, values: Readonly<Record<string, string>>) => {
      writeFileSync(
        join(place, "settings"),
        Object.entries(values)
          .map(([key, value]) => `${key}=${value}\n`)
          .join("")
      )
      return file(join(place, "settings"), path)
    }
    const mounts = [...controlGroups, `${engineSocket}:/srv/engine.sock`, "/var/lib/errand"]
    const temporary = ["/run", "/run/lock", "/tmp", ...placeOfControlGroups].flatMap((path) => ["--tmpfs", path])
    await docked(
      "run",
      "--detach",
      "--name",
      name,
      ...asPrivileged,
      ...temporary,
      ...mounts.flatMap((mount) => ["--volume", mount]),
      image
    )
    await file(join(root, "dist/errand"), "/usr/local/bin/errand")
    await file(join(root, "deploy/errand.service"), "/etc/systemd/system/errand.service")
    for (const unit of ["litestream.service", "errand-backup.service", "errand-backup.timer"]) {
      await file(join(root, "deploy", unit), `/etc/systemd/system/${unit}`)
    }
    await file(litestream, "/usr/bin/litestream")
    const configuration = readFileSync(join(root, "deploy/litestream-0.3.yml"), "utf8")
      .replace(
        "# endpoint: https://s3.example.com",
        `endpoint: http://${await bridge.carry(Number(new URL(s3.url).port))}`
      )
      .replace("# force-path-style", "force-path-style")
    writeFileSync(join(place, "litestream.yml"), configuration)
    await file(join(place, "litestream.yml"), "/etc/litestream.yml")
    await write("/etc/errand.env", settings)
    await write("/etc/litestream.env", {
      ERRAND_BACKUP_BUCKET: "backups",
      ERRAND_BACKUP_REGION: "us-east-1",
      LITESTREAM_ACCESS_KEY_ID: "id",
      LITESTREAM_SECRET_ACCESS_KEY: "secret"
    })
    await done(
      `chown root:root /usr/local/bin/errand /usr/bin/litestream /etc/errand.env && chmod 0600 /etc/*.env &&
      groupadd --gid $(stat -c %g /srv/engine.sock) docker && useradd --system --home-dir /var/lib/errand --groups docker errand &&
      install -d -o errand -g errand -m 0700 /var/backups/errand`
    )
    await vi.waitFor(() => done("systemctl is-system-running --wait"), { timeout: 30_000 })
    await done("systemctl daemon-reload && systemctl enable --now errand litestream errand-backup.timer")
    await answers()
    token = await done(`${asService} token create --login me`)
  }, 600_000)

  afterAll(async () => {
    await docker("rm", "--force", "--volumes", name)
    bridge.close()
    await s3.stop()
    await Effect.runPromise(Scope.close(scope, Exit.void))
    rmSync(place, { recursive: true, force: true })
  })

  it("takes the units as they are, and finds little exposed", async () => {
    for (const [unit, most] of [
      ["errand", 15],
      ["errand-backup", 15],
      ["litestream", 13]
    ] as const) {
      const file = `/etc/systemd/system/${unit}.service`
      expect(await inside(`systemd-analyze verify --man=no ${file}`)).toEqual({ code: 0, stdout: "", stderr: "" })
      const found = await inside(`systemd-analyze security --no-pager --offline=true --threshold=${most} ${file}`)
      expect(found.code, found.stdout).toBe(0)
    }
  })

  it("lets the server do all of its work: git, sandboxes, a branch", async () => {
    const { code, path, stderr, stdout } = await run("short", "Make a file")
    expect(code, `${stdout}${stderr}`).toBe(0)
    const branch = /pushed (errand\/\S+)/.exec(stdout)?.[1] ?? ""
    expect(await Effect.runPromise(gitText(path, ["show", `${branch}:made.txt`]))).toBe("made")
    expect(await done("cat /proc/$(systemctl show --value --property MainPID errand)/status")).toMatch(
      /CapBnd:\t0+\n[^]*NoNewPrivs:\t1\nSeccomp:\t2/
    )
  })

  it("has a replica made beside it", async () => {
    await vi.waitFor(async () => expect((await ready())["backup"]).toMatchObject({ replicating: true, alarm: null }), {
      timeout: 20_000,
      interval: 500
    })
    expect([...s3.objects.keys()].some((key) => key.startsWith("errand/generations/"))).toBe(true)
  })

  it("makes backups that are proven, and old ones go", async () => {
    await done(
      "install -d -o errand /var/backups/errand/errand-2020 && touch -d 2020-01-01 /var/backups/errand/errand-2020"
    )
    await done("systemctl start errand-backup.service")
    expect((await done("ls /var/backups/errand")).split("\n")).toEqual([expect.stringMatching(/^errand-2(?!020)/)])
    // What the server answers may be some seconds old.
    await vi.waitFor(async () => expect((await ready())["backup"]).toMatchObject({ provenAt: expect.any(String) }), {
      timeout: 20_000,
      interval: 500
    })
    expect(await property("NextElapseUSecRealtime", "errand-backup.timer")).toMatch(/ 0[34]:/)
  })

  it("lets the doctor look with the settings of the service", async () => {
    const { code, stdout } = await inside(`${asService} doctor --json`)
    const lines = stdout.trim().split("\n")
    const found = lines.map((line) => JSON.parse(line) as Json)
    expect(found.filter(({ status }) => status === "problem")).toEqual([])
    const good = found.filter(({ status }) => status === "ok").map(({ check }) => String(check))
    expect(good).toEqual(
      expect.arrayContaining(["privacy", "secret key", "backup", "replica", "restore", "system calls"])
    )
    expect(code).toBe(0)
  })

  it("starts the server again that was killed, which goes on where it was, and stops it in good order", async () => {
    const { path, stdout } = await run("long", "Long work", "--detach")
    const id = stdout.trim()
    await vi.waitFor(
      async () => expect((await inside(`ERRAND_TOKEN=${token} errand logs ${id}`)).stdout).toContain("sleep 600"),
      {
        timeout: 30_000,
        interval: 500
      }
    )
    const killed = await property("MainPID")
    await done(`kill -KILL ${killed}`)
    await vi.waitFor(async () => expect(await property("MainPID")).not.toMatch(new RegExp(`^(?:0|${killed})$`)), {
      timeout: 20_000,
      interval: 250
    })
    await answers()
    await vi.waitFor(async () => expect(await newestTask()).toMatchObject({ id, status: "completed" }), {
      timeout: 40_000,
      interval: 500
    })
    expect(await Effect.runPromise(gitText(path, ["show", `${(await newestTask())["branch"]}:kept.txt`]))).toBe("kept")
    const began = Date.now()
    await done("systemctl stop errand")
    expect(Date.now() - began).toBeLessThan(15_000)
    expect(await property("Result")).toBe("success")
  })
})
