import { execFileSync } from "node:child_process"
import { describe, expect, it } from "@effect/vitest"
import { Schema } from "effect"
import { branchName, defaultTitle } from "../../src/services/taskNames.ts"
import { TaskId } from "../../src/services/Ids.ts"

const id = Schema.decodeSync(TaskId)("task_01M7WH3GHXB50V0FM1DHZNPP1J")

describe("the default title", () => {
  it("is the first line with words", () => {
    expect(defaultTitle("\n  \n  Fix   the\tparser  \nand more")).toBe("Fix the parser")
  })

  it("is cut between words", () => {
    const prompt = "Rewrite the configuration loader so that it reports every unknown setting by name"
    const title = defaultTitle(prompt)
    expect(title).toBe("Rewrite the configuration loader so that it reports every unknown")
    expect(title.length).toBeLessThanOrEqual(72)
  })

  it("keeps a word that ends at the bound", () => {
    const exact = `${"a".repeat(35)} ${"b".repeat(36)}`
    expect(defaultTitle(`${exact} more`)).toBe(exact)
  })

  it("cuts a word that has no end", () => {
    expect(defaultTitle("x".repeat(500))).toBe("x".repeat(72))
  })

  it("has no control characters, and never half a character", () => {
    expect(defaultTitle("\u001b[31mred\u0007 alert")).toBe("[31mred alert")
    expect(defaultTitle("😀".repeat(100))).toBe("😀".repeat(72))
  })
})

describe("the branch", () => {
  it("has the words of the title and the end of the id", () => {
    expect(branchName("Fix the Parser!", id)).toBe("errand/fix-the-parser-dhznpp1j")
  })

  it("is plain ASCII", () => {
    expect(branchName("Überprüfe die Größe", id)).toBe("errand/uberprufe-die-gro-e-dhznpp1j")
    expect(branchName("修复", id)).toBe("errand/task-dhznpp1j")
    expect(branchName("--upload-pack=x", id)).toBe("errand/upload-pack-x-dhznpp1j")
  })

  it("is bounded, and cut between words", () => {
    expect(branchName("Rewrite the configuration loader so that it reports", id)).toBe(
      "errand/rewrite-the-configuration-loader-so-that-dhznpp1j"
    )
    expect(branchName("x".repeat(200), id)).toBe(`errand/${"x".repeat(40)}-dhznpp1j`)
  })

  it.prop("is a name that git takes", [Schema.String], ([title]) => {
    const name = branchName(title, id)
    expect(name).toMatch(/^errand\/[a-z0-9]+(?:-[a-z0-9]+)*-dhznpp1j$/)
    expect(name.length).toBeLessThanOrEqual(64)
  })

  it("is checked by git itself", () => {
    for (const title of ["a..b", "a.lock", "@{x}", "~^:?*[\\", " ", "HEAD", "/", "-x"]) {
      execFileSync("git", ["check-ref-format", "--branch", branchName(title, id)])
    }
  })
})
