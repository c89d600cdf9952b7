/**
 * From git's words to something that a person or a program can act on.
 */
import { stripVTControlCharacters } from "node:util"
import { RemoteFailed } from "../../services/GitStore.ts"
import type { GitStopped } from "./process.ts"

type Reason = RemoteFailed["reason"]

interface Meaning {
  readonly reason: Reason
  readonly retryable: boolean
  readonly sentence: (server: string, host: string) => string
}

const meanings = {
  auth: {
    reason: "auth",
    retryable: false,
    sentence: (server, host) =>
      `${server} refused access. Store a credential that may read and push with PUT /git-credentials/${host}.`
  },
  notFound: {
    reason: "not_found",
    retryable: false,
    sentence: (server) => `${server} has no such repository, or does not show it with the stored credential.`
  },
  refNotFound: {
    reason: "ref_not_found",
    retryable: false,
    sentence: () => "The repository has no such branch, tag or commit."
  },
  busy: { reason: "network", retryable: true, sentence: (server) => `${server} can't answer at the moment.` },
  network: { reason: "network", retryable: true, sentence: (server) => `${server} can't be reached, or broke off.` },
  timeout: { reason: "timeout", retryable: true, sentence: (server) => `${server} took too long.` },
  tooLarge: {
    reason: "too_large",
    retryable: false,
    sentence: () => "The repository is larger than this server takes."
  },
  moved: {
    reason: "refused",
    retryable: false,
    sentence: (server) => `${server} answers with a redirect. Use the address that it leads to.`
  },
  untrusted: {
    reason: "refused",
    retryable: false,
    sentence: (server) => `${server} could not prove who it is: its certificate or host key is not the expected one.`
  },
  unsound: {
    reason: "refused",
    retryable: false,
    sentence: () => "The repository holds objects that git's checks refuse."
  },
  noSpace: { reason: "no_space", retryable: false, sentence: () => "There is no space left on this server's disk." },
  other: { reason: "other", retryable: false, sentence: () => "Git failed." }
} as const satisfies Record<string, Meaning>

/** What the kernel says when the disk is full, or what this user may have of it. */
const fullDisk = /No space left on device|Disk quota exceeded|ENOSPC|EDQUOT/

/** Whether git failed because nothing more could be written. */
export const ranOutOfSpace = (output: string): boolean => fullDisk.test(output)

/** Looked through in this order; the first that matches what git printed counts. */
const signs: ReadonlyArray<readonly [RegExp, Meaning]> = [
  [fullDisk, meanings.noSpace],
  [/(?:returned error:|HTTP) (?:401|403)\b/, meanings.auth],
  [/(?:returned error:|HTTP) (?:404|410)\b/, meanings.notFound],
  [/(?:returned error:|HTTP) (?:408|425|429|5\d\d)\b/, meanings.busy],
  [/(?:returned error:|HTTP) 413\b/, meanings.tooLarge],
  [/(?:returned error:|HTTP) 3\d\d\b|unable to update url base from redirection/, meanings.moved],
  [
    /Authentication failed|could not read (?:Username|Password)|Permission denied \(|Access denied|Error loading key/i,
    meanings.auth
  ],
  [/Host key verification failed|HOST IDENTIFICATION HAS CHANGED|certificate/i, meanings.untrusted],
  [/couldn't find remote ref|not our ref|unadvertised object/i, meanings.refNotFound],
  [
    /fsck error|did not match any file\(s\) known to git|bad object|invalid object|mismatched algorithms/,
    meanings.unsound
  ],
  [
    /repository .*not found|does not appear to be a git repository|is this a git repository\?|no such (?:repository|file)|does not exist/i,
    meanings.notFound
  ],
  [
    /died of signal 25|File size limit exceeded|exceeds maximum|pack too large|out of memory|malloc failed/i,
    meanings.tooLarge
  ],
  [
    /resolve host|connect to|refused|timed out|reset|early EOF|unexpected disconnect|hung up|empty reply|curl \d+|too slow|failure|unreachable|protocol error|bad line length|expected (?:flush|packfile)|SSL|index-pack failed|RPC failed|unable to access/i,
    meanings.network
  ]
]

const sizeSignal = 128 + 25

// eslint-disable-next-line no-control-regex -- control characters are what this takes away
const unprintable = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+/gu
const userInformation = /:\/\/[^@/\s]*@/g
const lineLimit = 300

/** One harmless line: no control characters, no credential, not long. */
export const cleanLine = (line: string): string => {
  const visible = stripVTControlCharacters(line).replace(unprintable, " ")
  const clean = visible.replace(userInformation, "://").replace(/\s+/g, " ").trim()
  return clean.length <= lineLimit ? clean : `${clean.slice(0, lineLimit)}…`
}

/** What git says after every failure of SSH. */
const commonplace = /Could not read from remote repository|^Please make sure you have|^and the repository exists/

/** The line of git's complaint that says most: its last fatal one, else its last error, else the last of all. */
export const complaint = (stderr: string): string => {
  const lines = stderr.split(/[\r\n]+/).filter((line) => line.trim() !== "" && !commonplace.test(line))
  const last = (pattern: RegExp) => lines.findLast((line) => pattern.test(line))
  const line = last(/^(?:remote: )?fatal: /) ?? last(/^(?:remote: )?error: /i) ?? lines.at(-1) ?? ""
  return cleanLine(line.replace(/^(?:remote: )?(?:fatal|error|ERROR): (?:unable to access '[^']*': )?/, ""))
}

/** The remote as a sentence begins with it. */
export const serverName = (host: string) => (host === "" ? "The local repository" : `The git server ${host}`)

const failWith = ({ reason, retryable, sentence }: Meaning, host: string, words = "") => {
  const detail = sentence(serverName(host), host)
  return new RemoteFailed({ reason, retryable, detail: words === "" ? detail : `${detail} (git: ${words})` })
}

/** What a failed command says about the remote. */
export const remoteFailed = (
  host: string,
  { exitCode, stderr }: { readonly exitCode: number; readonly stderr: string }
) => {
  if (exitCode === sizeSignal) return failWith(meanings.tooLarge, host)
  const meaning = signs.find(([sign]) => sign.test(stderr))?.[1] ?? meanings.other
  return failWith(meaning, host, complaint(stderr))
}

/** A command that had to be stopped. */
export const remoteStopped = (host: string, { reason }: GitStopped) =>
  failWith(reason === "timeout" ? meanings.timeout : meanings.tooLarge, host)

export const refused = (detail: string) =>
  new RemoteFailed({ reason: "refused", retryable: false, detail: cleanLine(detail) })

export const refNotFound = (detail: string) =>
  new RemoteFailed({ reason: "ref_not_found", retryable: false, detail: cleanLine(detail) })

export const notRepository = (host: string) =>
  failWith(meanings.notFound, host, "what answers there does not speak git's protocol")

/** Git had to be stopped although only this server was concerned. */
export const storeStopped = () =>
  new RemoteFailed({
    reason: "timeout",
    retryable: true,
    detail: "Reading this server's own repository took too long."
  })
