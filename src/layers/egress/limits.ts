/** What a sandbox may ask of its way out: every bound of the proxy in one place. Times in milliseconds. */

const KiB = 2 ** 10
const MiB = 2 ** 20
const GiB = 2 ** 30

/** Open at once; more are closed as they come. The forwarder inside opens fewer, so that clients wait and don't fail. */
export const connections = 256

/** Under way at once, on all connections; with more, the connection that brings one is closed. */
export const requests = 512

/** Waiting on one tunnel to a host of a secret; they go out one after the other. With more, the tunnel is closed. */
export const requestsOfTunnel = 16

/** Of a request line with all headers; more is answered with 431. */
export const headBytes = 16 * KiB
export const headers = 100
export const headMs = 10_000
/** Of the body of a request that is refused, until its connection is closed. */
export const refusedBytes = 16 * MiB
export const refusedMs = 1_000
/** Of the target of a request to a registry. */
export const targetLength = 1 * KiB

/** In which a tunnel must have said whom it is for. */
export const helloMs = 5_000
export const helloBytes = 16 * KiB

export const nameMs = 5_000
export const dialMs = 10_000
export const answerMs = 60_000
/** Without a byte either way. */
export const idleMs = 10 * 60_000

/** Of one document whose addresses are rewritten, uncompressed. */
export const documentBytes = 128 * MiB

/** Bytes of one task, over all of its runs. What is asked of a registry is names, so little is enough. */
export const budget = {
  sentToRegistry: 4 * MiB,
  sentToHost: 256 * MiB,
  receivedFromHost: 16 * GiB,
  sent: 1 * GiB,
  received: 32 * GiB
}

/** Hosts that are listed by name for a task; what goes beyond is counted under one. */
export const hosts = 200
/** Refusals of one run that become events: a loop over names must not flood the log. */
export const events = 50
