/**
 * `/etc/hosts` of all sandboxes. The engine writes one only where it makes the network, for which it starts itself once
 * more: that takes as long as all the rest of a container's start (70 ms of 140 with Docker 20.10). Without, the kernel's
 * empty network is the same, and this file is what is missing.
 */
import { Effect } from "effect"
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"

export const hostname = "sandbox"

const text = `127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
127.0.1.1\t${hostname}
`

/** For every user to read, whatever this process keeps from others by default; fails with the reason. */
const write = (path: string) =>
  Effect.try({
    try: () => {
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, text)
      chmodSync(path, 0o644)
    },
    catch: (error) => (error instanceof Error ? error.message : String(error))
  })

export interface HostsFile {
  /** Written when it is first asked for: who only looks around leaves nothing behind. False when there is none. */
  readonly isThere: Effect.Effect<boolean>
  /** There will be none from now on. */
  readonly giveUp: (reason: string) => Effect.Effect<void>
}

export const makeHostsFile = (path: string): HostsFile => {
  let known: boolean | undefined
  const giveUp = (reason: string) =>
    Effect.suspend(() => {
      known = false
      return Effect.logWarning(`Sandboxes start more slowly, since the engine makes their networks: ${reason}`)
    })
  const make = Effect.matchEffect(write(path), {
    onFailure: (reason) => Effect.as(giveUp(reason), false),
    onSuccess: () => Effect.sync(() => (known = true))
  })
  return { isThere: Effect.suspend(() => (known === undefined ? make : Effect.succeed(known))), giveUp }
}
