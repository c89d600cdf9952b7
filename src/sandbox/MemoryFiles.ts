/** Files in memory, under absolute paths; a directory is there when a file is in it. */
import { posix } from "node:path"
import { Effect } from "effect"
import type { FileContent, SandboxFileError } from "../services/Sandbox.ts"
import { fileError, fileLimit, tooLarge } from "./fileErrors.ts"

export class MemoryFiles {
  readonly #root: string
  readonly #files = new Map<string, Uint8Array>()

  /** `files` by their paths, relative to `root` or absolute. */
  constructor(root: string, files: Readonly<Record<string, string | Uint8Array>>) {
    this.#root = root
    for (const [path, content] of Object.entries(files)) {
      this.#files.set(this.#locate(path), typeof content === "string" ? new TextEncoder().encode(content) : content)
    }
  }

  /** Absolute paths of all files, in order. */
  get paths(): ReadonlyArray<string> {
    return [...this.#files.keys()].toSorted()
  }

  read(path: string, { limit, offset }: { readonly offset: number; readonly limit: number }) {
    return Effect.suspend((): Effect.Effect<FileContent, SandboxFileError> => {
      const target = this.#locate(path)
      const bytes = this.#files.get(target)
      if (path.includes("\0")) return fileError(path, "ENOENT")
      if (bytes === undefined) return fileError(path, this.#isDirectory(target) ? "EISDIR" : "ENOENT")
      return Effect.succeed({
        bytes: bytes.slice(offset, offset + Math.min(limit, fileLimit)),
        size: bytes.length
      })
    })
  }

  write(path: string, bytes: Uint8Array) {
    return Effect.suspend((): Effect.Effect<void, SandboxFileError> => {
      const target = this.#locate(path)
      if (path.includes("\0")) return fileError(path, "ENOENT")
      if (bytes.length > fileLimit) return tooLarge(path, bytes.length)
      if (this.#isDirectory(target)) return fileError(path, "EISDIR")
      if (this.#isUnderFile(target)) return fileError(path, "ENOTDIR")
      this.#files.set(target, bytes.slice())
      return Effect.void
    })
  }

  #locate(path: string): string {
    return posix.resolve(this.#root, path)
  }

  #isDirectory(path: string): boolean {
    return path === this.#root || this.paths.some((other) => other.startsWith(`${path}/`))
  }

  #isUnderFile(path: string): boolean {
    return this.paths.some((other) => path.startsWith(`${other}/`))
  }
}
