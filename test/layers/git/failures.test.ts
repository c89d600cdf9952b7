import { describe, expect, it } from "vitest"
import { ranOutOfSpace, remoteFailed } from "../../../src/layers/git/failures.ts"

describe("a disk that git finds full", () => {
  it.each([
    "error: unable to write file objects/3a/11: No space left on device\nfatal: unpack-objects failed",
    "fatal: write error: No space left on device\nfatal: fetch-pack: invalid index-pack output",
    "error: unable to create temporary file: Disk quota exceeded"
  ])("is told from trouble with the remote: %s", (stderr) => {
    expect(ranOutOfSpace(stderr)).toBe(true)
    expect(remoteFailed("git.example", { exitCode: 128, stderr })).toMatchObject({
      reason: "no_space",
      retryable: false
    })
  })

  it("is not what a remote that is down looks like", () => {
    const stderr = "fatal: unable to access 'https://git.example/a/': Could not resolve host: git.example"
    expect(ranOutOfSpace(stderr)).toBe(false)
    expect(remoteFailed("git.example", { exitCode: 128, stderr }).reason).toBe("network")
  })
})
