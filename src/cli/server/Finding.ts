/** What a check of the installation found. */
import { codeLine, indented, type Line, line, span, type Style } from "../render/Line.ts"
import { safeLines } from "../render/safeText.ts"

/** A `problem` keeps Errand from working, a `warning` from working as well as it could. */
export interface Finding {
  readonly check: string
  readonly status: "ok" | "warning" | "problem"
  readonly detail: string
  /** What to do; null when all is well. */
  readonly remedy: string | null
  /** The word in ERRAND_ACCEPTED_FINDINGS by which somebody who knows better lets it pass; none for what can't. */
  readonly acceptedAs?: string
}

export const ok = (check: string, detail: string): Finding => ({ check, status: "ok", detail, remedy: null })

export const warning = (check: string, detail: string, remedy: string, acceptedAs?: string): Finding => ({
  check,
  status: "warning",
  detail,
  remedy,
  ...(acceptedAs === undefined ? {} : { acceptedAs })
})

/** A warning that the settings accept is none any more; of any other that they could, it says how. */
export const orAccepted =
  (accepted: ReadonlyArray<string>) =>
  ({ acceptedAs, ...finding }: Finding): Finding => {
    if (acceptedAs === undefined) return finding
    return accepted.includes(acceptedAs)
      ? ok(finding.check, `${finding.detail} (accepted)`)
      : { ...finding, remedy: `${finding.remedy} To let it pass: ERRAND_ACCEPTED_FINDINGS=${acceptedAs}` }
  }

export const problem = (check: string, detail: string, remedy: string): Finding => ({
  check,
  status: "problem",
  detail,
  remedy
})

const marks = {
  ok: ["✓", "good"],
  warning: ["!", "warning"],
  problem: ["✗", "bad"]
} as const satisfies Record<Finding["status"], readonly [string, Style]>

export const tellFinding = ({ check, detail, remedy, status }: Finding): ReadonlyArray<Line> => {
  const [mark, style] = marks[status]
  const [first = "", ...more] = safeLines(detail)
  return [
    line(span(`${mark} `, style), span(`${check}: `, "strong"), first),
    ...indented(
      2,
      more.map((text) => codeLine(text))
    ),
    ...indented(2, remedy === null ? [] : [line(span(remedy, "quiet"))])
  ]
}
