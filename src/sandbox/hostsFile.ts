/**
 * `/etc/hosts` of all sandboxes. The engine writes one only where it makes the network, for which it starts itself once
 * more: that takes as long as all the rest of a container's start (70 ms of 140 with Docker 20.10). Without, the kernel's
 * empty network is the same, and this file is what is missing.
 */
import { Effect, Schema } from "effect"
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"

export class HostsFileFailed extends Schema.TaggedError<HostsFileFailed>()("HostsFileFailed", {
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

export const hostname = "sandbox"

const text = `127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
127.0.1.1\t${hostname}
`

/** Writes it for every user to read, whatever this process keeps from others by default. */
export const writeHostsFile = (path: string): Effect.Effect<void, HostsFileFailed> =>
  Effect.try({
    try: () => {
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, text)
      chmodSync(path, 0o644)
    },
    catch: (error) => new HostsFileFailed({ detail: error instanceof Error ? error.message : String(error) })
  })
