/** What the pages say about places, settings and commands: that they exist. */
import { FetchHttpClient } from "@effect/platform"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync, statSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { ServerNotStarted, ServerProcess } from "../../src/cli/ServerProcess.ts"
import { make as makeSignals, Signals } from "../../src/cli/Signals.ts"
import * as AppConfigEnv from "../../src/layers/AppConfigEnv.ts"
import * as IdsCounter from "../../src/layers/IdsCounter.ts"
import { shell } from "../cli/shell.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

const listed = (...patterns: ReadonlyArray<string>) =>
  execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", ...patterns], {
    cwd: root,
    encoding: "utf8"
  })
    .split("\n")
    .filter((file) => file !== "" && existsSync(join(root, file)))

const read = (file: string) => readFileSync(join(root, file), "utf8")

const pages = listed("*.md").map((file) => ({ file, text: read(file) }))

const fences = /^ *```(\w*)\n([^]*?)^ *```$/gm

const withoutCode = (text: string) => text.replace(fences, "").replace(/`[^`\n]*`/g, "")

/** As GitHub names the place of a heading. */
const anchorsOf = (file: string): ReadonlyArray<string> => {
  const seen = new Map<string, number>()
  return read(file)
    .replace(fences, "")
    .split("\n")
    .flatMap((line) => /^#{1,6} +(.*)$/.exec(line)?.[1] ?? [])
    .map((heading) => {
      const slug = heading
        .toLowerCase()
        .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
        .replace(/[^\p{L}\p{N}\p{M}_\- ]/gu, "")
        .replaceAll(" ", "-")
      const count = seen.get(slug) ?? 0
      seen.set(slug, count + 1)
      return count === 0 ? slug : `${slug}-${count}`
    })
}

/** What a link, seen from a page, leads to and does not find. */
const deadEnd = (file: string, target: string): string | undefined => {
  const [path = "", anchor] = target.split("#")
  const place = path === "" ? file : join(dirname(file), decodeURI(path))
  if (!existsSync(join(root, place))) return target
  if (statSync(join(root, place)).isDirectory() || anchor === undefined) return undefined
  return place.endsWith(".md") && anchorsOf(place).includes(anchor) ? undefined : target
}

/** Written in the code of a page: inline, or in lines of a fence, of which the backslashes at ends are taken out. */
const codeOf = (text: string): ReadonlyArray<string> => [
  ...[...text.matchAll(fences)].flatMap(([, , code = ""]) => code.replace(/\\\n\s*/g, " ").split("\n")),
  ...[...text.replace(fences, "").matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) => code)
]

describe("the pages", () => {
  // Seen to fail with a file and with a heading renamed.
  it("lead to files and headings that exist", () => {
    const dead = pages.flatMap(({ file, text }) =>
      [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)|<img[^>]* src="([^"]+)"|srcset="([^"]+)"/g)]
        .map(([, link, image, source]) => link ?? image ?? source ?? "")
        .filter((target) => !/^[a-z]+:/.test(target))
        .flatMap((target) => deadEnd(file, target) ?? [])
        .map((target) => `${file}: ${target}`)
    )
    expect(dead).toEqual([])
  })

  it("are all led to from the README or from each other", () => {
    const targets = pages.flatMap(({ file, text }) =>
      [...text.matchAll(/\]\(([^)#\s]+)/g)].map(([, target = ""]) => relative(root, join(root, dirname(file), target)))
    )
    const lost = pages
      .map(({ file }) => file)
      .filter((file) => file.startsWith("docs/") && !file.includes("decisions/"))
    expect(lost.filter((file) => !targets.includes(file))).toEqual([])
  })

  // Seen to fail with ERRAND_PUBLIC_ADDRESS in a page.
  it("name settings that the server, its client or a deployment has", () => {
    const client = ["ERRAND_URL", "ERRAND_TOKEN"]
    const deployments = listed("deploy").flatMap((file) => read(file).match(/\bERRAND_[A-Z_]*[A-Z]\b/g) ?? [])
    const known = new Set([...AppConfigEnv.documentation.map(({ name }) => name), ...client, ...deployments])
    const named = pages.flatMap(({ file, text }) =>
      (text.match(/\bERRAND_[A-Z_]*[A-Z]\b/g) ?? []).map((name) => ({ file, name }))
    )
    expect(named.length).toBeGreaterThan(50)
    expect(named.filter(({ name }) => !known.has(name))).toEqual([])
  })

  it("name scripts of npm that there are", () => {
    const { scripts } = JSON.parse(read("package.json"))
    const named = pages.flatMap(({ file, text }) =>
      codeOf(text).flatMap((code) =>
        [...code.matchAll(/\bnpm (?:run )?(?:--silent )?([a-z][a-z:]*)/g)].map(([, name = ""]) => ({ file, name }))
      )
    )
    const ownOfNpm = ["ci", "install", "run", "audit", "config", "pack"]
    expect(named.filter(({ name }) => !(name in scripts) && !ownOfNpm.includes(name))).toEqual([])
  })
})

const world = Layer.mergeAll(
  NodeContext.layer,
  FetchHttpClient.layer,
  IdsCounter.layer,
  Layer.effect(
    Signals,
    Effect.map(makeSignals, ({ signals }) => signals)
  ),
  Layer.succeed(ServerProcess, { start: () => new ServerNotStarted({ problem: "Nothing is started here." }) })
)

/** The commands of a line of code, as words: what follows `errand`, as far as it is one command. */
const calls = (code: string): ReadonlyArray<ReadonlyArray<string>> =>
  [...code.matchAll(/(?:^|[|;&(] *|\bexec errand )(?:node dist\/)?errand(?:\.mjs)? ([^|;&()#<>]*)/g)].map(
    ([, rest = ""]) =>
      rest
        .replace(/"[^"]*"|'[^']*'/g, "…")
        .trim()
        .split(/\s+/)
  )

/** The names of commands that a call begins with. */
const pathOf = (words: ReadonlyArray<string>): ReadonlyArray<string> => {
  const end = words.findIndex((word) => !/^[a-z]+(?:-[a-z]+)*,?$/.test(word))
  return (end === -1 ? words : words.slice(0, end)).map((name) => name.replace(",", ""))
}

/** What the help of a call's command knows nothing of. */
const faultsOf = (words: ReadonlyArray<string>, help: string): ReadonlyArray<string> => {
  const [, usage = ""] = /^Usage: errand(.*)/m.exec(help) ?? []
  const path = pathOf(words)
  const understood = path.filter((name) => usage.split(" ").includes(name))
  const unknown = path.length > understood.length && (understood.length === 0 || usage.includes("<command>"))
  const options = words.filter((word) => /^--[a-z]/.test(word)).map((word) => word.replace(/=.*|[^a-z-]+$/g, ""))
  return [
    ...(unknown ? ["no such command"] : []),
    ...options.filter((option) => option !== "--help" && !help.includes(option)).map((option) => `no ${option}`)
  ]
}

/** The commands that a help lists. */
const listedIn = (help: string) =>
  [...(help.split("Options")[0] ?? "").matchAll(/^ {2}([a-z-]+) {2,}\S/gm)].map(([, name = ""]) => name)

layer(world)("the pages", (it) => {
  // Seen to fail with `errand token make` and with `errand backup --into`.
  it.effect("call commands that there are, with options that they have", () =>
    Effect.gen(function* () {
      // Decisions tell of commands that were thought of.
      const named = pages
        .filter(({ file }) => !file.includes("decisions/"))
        .flatMap(({ file, text }) => codeOf(text).flatMap((code) => calls(code).map((words) => ({ file, words }))))
      expect(named.length).toBeGreaterThan(40)
      const wrong = yield* Effect.forEach(named, ({ file, words }) =>
        Effect.map(shell([...pathOf(words), "--help"].join(" ")), ({ output }) =>
          faultsOf(words, output).map((fault) => `${file}: errand ${words.join(" ")}: ${fault}`)
        )
      )
      expect(wrong.flat()).toEqual([])
    })
  )

  // Seen to fail without a line for `errand pair`, and without one for its JSON.
  it.effect("explain every command, and what it prints as JSON", () =>
    Effect.gen(function* () {
      const { output } = yield* shell("--help")
      const names = listedIn(output)
      expect(names.length).toBeGreaterThan(12)
      const page = read("docs/cli.md")
      const [commands = "", json = ""] = page.split("## JSON")
      for (const name of names) {
        expect([name, new RegExp(`^\\| .*\`(?:errand )?${name}\\b.* \\| `, "m").test(commands)]).toEqual([name, true])
        const { output: help } = yield* shell(`${name} --help`)
        const below = help.includes("<command>") ? listedIn(help) : []
        for (const path of below.length === 0 ? [name] : below.map((each) => `${name} ${each}`)) {
          const { output: own } = yield* shell(`${path} --help`)
          expect([path, json.includes(`\`${path}\``)]).toEqual([path, own.includes("--json")])
        }
      }
    })
  )
})
