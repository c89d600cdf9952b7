import { FetchHttpClient } from "@effect/platform"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { layer } from "@effect/vitest"
import { ConfigProvider, Effect, Layer } from "effect"
import { expect } from "vitest"
import { ServerNotStarted, ServerProcess } from "../../src/cli/ServerProcess.ts"
import { make as makeSignals, Signals } from "../../src/cli/Signals.ts"
import * as IdsCounter from "../../src/layers/IdsCounter.ts"
import { shell } from "./shell.ts"

const world = Layer.mergeAll(
  NodeContext.layer,
  FetchHttpClient.layer,
  IdsCounter.layer,
  // Nobody is signed in, whoever runs the tests.
  Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["XDG_CONFIG_HOME", "/nowhere"]]))),
  Layer.effect(
    Signals,
    Effect.map(makeSignals, ({ signals }) => signals)
  ),
  Layer.succeed(ServerProcess, { start: () => new ServerNotStarted({ problem: "The port is taken." }) })
)

const commands = [
  "serve",
  "demo",
  "run",
  "tasks",
  "logs",
  "login",
  "logout",
  "pair",
  "secrets",
  "secrets set",
  "secrets list",
  "secrets remove",
  "token",
  "token create",
  "token list",
  "token revoke",
  "key",
  "key rotate",
  "key rotate-signing",
  "doctor",
  "backup",
  "restore",
  "version"
]

/** What is typed, and what is said to it on standard output and standard error. */
const wrongUsage: ReadonlyArray<readonly [line: string, said: string, complained: string]> = [
  ["", "Usage: errand <command>", ""],
  ["token", "Usage: errand token <command>", ""],
  ["nope", "", `There is no command "nope" here`],
  ["token nope", "", `There is no command "nope" here`],
  ["--nope", "", "Unknown option --nope"],
  ["run", "", "Missing argument <repository>"],
  ["run https://example.com/r", "", "Missing argument <prompt>"],
  ["run https://example.com/r prompt more", "", "unknown argument: 'more'"],
  ["run --nope https://example.com/r prompt", "", "Unknown option --nope"],
  ["run https://example.com/r prompt --nope", "", "unknown argument: '--nope'"],
  ["run https://example.com/r prompt --max-turns many", "", "'many' is not a"],
  ["run https://example.com/r prompt --delivery pigeon", "", "Expected one of"],
  ["run https://example.com/r prompt --allow-host example.com --token t", "", "--allow-host goes with"],
  ["run https://example.com/r prompt --max-turns 0.5 --token t", "", "limits.maxTurns"],
  ["run https://example.com/r prompt", "", "You are not signed in"],
  ["tasks --limit 0 --token t", "", "--limit must be"],
  ["tasks --server nowhere --token t", "", "not the URL of a server"],
  ["logs task_1 --token t", "", "not the id of a task"],
  ["token create", "", "--login"],
  ["token create --login a --scope all", "", "Expected one of"],
  ["token revoke 1", "", "not the id of a token"]
]

layer(world, { excludeTestServices: true })("the command line", (it) => {
  it.effect("lists every command, and nothing that it does not have", () =>
    Effect.gen(function* () {
      const { code, output } = yield* shell("--help")
      expect(code).toBe(0)
      const listed = [...output.matchAll(/^ {2}([a-z]+) {2,}[A-Z]/gm)].map(([, name]) => name)
      expect(listed).toEqual(commands.filter((name) => !name.includes(" ")))
    })
  )

  it.effect.each(commands)("%s has help in lines that fit a terminal", (name) =>
    Effect.gen(function* () {
      for (const help of ["--help", "-h"]) {
        const { code, complaints, output } = yield* shell(`${name} ${help}`)
        expect({ code, complaints }).toEqual({ code: 0, complaints: "" })
        expect(output).toContain(`Usage: errand ${name}`)
        expect(output).not.toContain("\u001b")
        expect(Math.max(...output.split("\n").map((line) => line.length))).toBeLessThan(220)
      }
    })
  )

  it.effect.each(commands.filter((name) => !["token", "secrets", "key"].includes(name)))(
    "%s prints JSON for programs",
    (name) => Effect.map(shell(`${name} --help`), ({ output }) => expect(output).toContain("--json"))
  )

  it.effect("describes every option and argument", () =>
    Effect.gen(function* () {
      for (const name of commands) {
        const lines = (yield* shell(`${name} --help`)).output.split("\n")
        const described = lines.map((line, index) =>
          /^ {2}(?:-|<)/.test(line) ? /^ {2}\S.*? {2,}\S|\S\n {8,}\S/.test(`${line}\n${lines[index + 1]}`) : true
        )
        expect(lines.filter((_, index) => described[index] === false)).toEqual([])
      }
    })
  )

  it.effect.each(wrongUsage)("tells wrong usage by exit code 2: errand %s", ([line, said, complained]) =>
    Effect.gen(function* () {
      const { code, complaints, output } = yield* shell(line)
      expect(code).toBe(2)
      expect(output).toContain(said)
      expect(complaints).toContain(complained)
      expect(complaints).not.toContain("\u001b")
    })
  )

  it.effect("tells failure by exit code 1, with a remedy", () =>
    Effect.gen(function* () {
      const nowhere = yield* shell("tasks --server http://127.0.0.1:1 --token t")
      expect(nowhere.code).toBe(1)
      expect(nowhere.complaints).toContain("No Errand server answers at http://127.0.0.1:1")
      expect(nowhere.complaints).toContain("errand serve")
      const taken = yield* shell("serve")
      expect(taken).toEqual({ code: 1, output: "", complaints: "errand: The port is taken.\n" })
    })
  )

  it.effect("says its version in three ways", () =>
    Effect.gen(function* () {
      expect(yield* shell("--version")).toEqual({ code: 0, output: "0.1.0\n", complaints: "" })
      expect((yield* shell("version")).output).toMatch(/^errand 0\.1\.0 on Node \d+/)
      expect(JSON.parse((yield* shell("version --json")).output)).toMatchObject({ version: "0.1.0", protocol: 1 })
    })
  )
})
