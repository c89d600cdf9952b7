/**
 * Which hosts a task may open tunnels to. Registries are not among them: they are served, not tunnelled.
 */
import type { EgressSpec } from "../../services/Egress.ts"
import type { TaskId } from "../../services/Ids.ts"
import type { NetworkMode } from "../../services/Task.ts"
import type { RegistryName } from "../../services/Registries.ts"
import { Refused } from "./Refused.ts"
import { registryOf } from "./registries.ts"

export class Policy {
  readonly #taskId: TaskId
  readonly #mode: NetworkMode
  readonly #hosts: Set<string>

  constructor({ network: { hosts, mode }, taskId }: EgressSpec) {
    this.#taskId = taskId
    this.#mode = mode
    this.#hosts = new Set(hosts)
  }

  /** From now on; tunnels that were refused before are the client's to ask for again. */
  allow(host: string): void {
    this.#hosts.add(host)
  }

  get servesRegistries(): boolean {
    return this.#mode !== "none"
  }

  /** Null when there may be a tunnel to the host. */
  refusal(host: string): Refused | null {
    if (this.#mode === "none") return this.noNetwork(host)
    if (this.#mode === "open" || this.#hosts.has(host)) return null
    const registry = registryOf(host)
    return new Refused({
      status: 403,
      host,
      ...(registry === undefined
        ? {
            reason: "the host is not on the list of this task",
            remedy: `The task's owner can add it: POST /api/v1/tasks/${this.#taskId}/network/hosts {"host":"${host}"}.`
          }
        : {
            reason: `packages of ${registry} come through the sandbox's own address of the registry, not through a tunnel`,
            remedy: "Leave the registry's address as the sandbox has set it in its environment."
          })
    })
  }

  /** `registry`: the kind, where packages were asked for. */
  noNetwork(host: string, registry?: RegistryName): Refused {
    return new Refused({
      status: 403,
      host,
      reason: `the task's network mode is none${registry === undefined ? "" : `, so it reads no packages (${registry})`}`,
      remedy: "Start a task with the network mode registries for packages, or allowlist with this host."
    })
  }
}
