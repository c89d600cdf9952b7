/**
 * From git's words to something that a person or a program can act on.
 */
import { RemoteFailed } from "../../services/GitStore.ts"
import { GitStopped } from "./process.ts"

type Reason = RemoteFailed["reason"]

interface Meaning {
  readonly reason: Reason
  readonly retryable: boolean
  readonly sentence: (host: string) => string
}

const meanings = {
  auth: {
    reason: "auth",
    retryable: false,
    sentence: (host) =>
      `${host} refused access; store a credential for it with PUT /git-credentials/${host} that may read and push`
  },
  notFound: {
    reason: "not_found",
    retryable: false,
    sentence: (host) => `${host} has no such repository, or it may not be seen with the stored credential`
  },
  refNotFound: {
    reason: "ref_not_found",
    retryable: false,
    sentence: () => "the repository has no such branch, tag or commit"
  },
  busy: { reason: "network", retryable: true, sentence: (host) => `${host} can't answer at the moment` },
  network: { reason: "network", retryable: true, sentence: (host) => `${host} can't be reached, or broke off` },
  timeout: { reason: "timeout", retryable: true, sentence: (host) => `${host} took too long` },
  tooLarge: {
    reason: "too_large",
    retryable: false,
    sentence: () => "the repository is larger than this server takes"
  },
  moved: {
    reason: "refused",
    retryable: false,
    sentence: (host) => `${host} answers with a redirect; use the address that it leads to`
  },
  untrusted: {
    reason: "refused",
    retryable: false,
    sentence: (host) => `${host} could not prove who it is; its certificate or host key is not the expected one`
  },
  unsound: {
    reason: "refused",
    retryable: false,
    sentence: () => "the repository holds objects that git's checks refuse"
  },
  noSpace: { reason: "other", retryable: true, sentence: () => "there is no space left on the server's disk" },
  other: { reason: "other", retryable: false, sentence: () => "git failed" }
} as const satisfies Record<string, Meaning>

/** Looked through in this order; the first that matches what git printed counts. */
const signs: ReadonlyArray<readonly [RegExp, Meaning]> = [
  [/No space left on device/, meanings.noSpace],
  [/(?:returned error:|HTTP) (?:401|403)\b/, meanings.auth],
  [/(?:returned error:|HTTP) (?:404|410)\b/, meanings.notFound],
  [/(?:returned error:|HTTP) (?:408|425|429|5\d\d)\b/, meanings.busy],
  [/(?:returned error:|HTTP) 413\b/, meanings.tooLarge],
  [/(?:returned error:|HTTP) 3\d\d\b|unable to update url base from redirection/, meanings.moved],
  [/Authentication failed|could not read (?:Username|Password)|Permission denied \(|Access denied/i, meanings.auth],
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
  [/File size limit exceeded|exceeds maximum|pack too large/i, meanings.tooLarge],
  [
    /resolve host|connect to|refused|timed out|reset|early EOF|unexpected disconnect|hung up|empty reply|curl \d+|too slow|failure|unreachable|protocol error|bad line length|expected (?:flush|packfile)|SSL|index-pack failed|RPC failed/i,
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
  const clean = line.replace(unprintable, " ").replace(userInformation, "://").trim()
  return clean.length <= lineLimit ? clean : `${clean.slice(0, lineLimit)}…`
}

/** The line of git's complaint that says most: its last fatal one, else its last error, else the last of all. */
export const complaint = (stderr: string): string => {
  const lines = stderr.split(/[\r\n]+/).filter((line) => line.trim() !== "")
  const last = (pattern: RegExp) => lines.findLast((line) => pattern.test(line))
  const line = last(/^(?:remote: )?fatal: /) ?? last(/^(?:remote: )?error: /i) ?? lines.at(-1) ?? ""
  return cleanLine(line.replace(/^(?:remote: )?(?:fatal|error|ERROR): /, ""))
}

const failWith = (meaning: Meaning, host: string, words = "") => {
  const sentence = meaning.sentence(host === "" ? "the repository" : host)
  return new RemoteFailed({
    reason: meaning.reason,
    retryable: meaning.retryable,
    detail: words === "" ? sentence : `${sentence} (${words})`
  })
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
