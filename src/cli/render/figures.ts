/** Durations, money and sizes as a person reads them. */

const twoDigits = (value: number): string => String(value).padStart(2, "0")

/** `850 ms`, `3.2 s`, `1 min 05 s`, `2 h 03 min`. */
export const duration = (ms: number): string => {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`
  const seconds = Math.round(ms / 1_000)
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${twoDigits(seconds % 60)} s`
  return `${Math.floor(seconds / 3_600)} h ${twoDigits(Math.floor((seconds % 3_600) / 60))} min`
}

/** Cents, or as many digits as a smaller sum needs to be seen. */
export const dollars = (usd: number): string => {
  const digits = usd === 0 || usd >= 0.01 ? 2 : Math.min(9, 1 - Math.floor(Math.log10(usd)))
  return `$${usd.toFixed(digits)}`
}

const units = ["kB", "MB", "GB", "TB"] as const

/** Decimal units, as disks and networks are sold. */
export const bytes = (count: number): string => {
  if (count < 1_000) return `${count} B`
  const power = Math.min(Math.floor(Math.log10(count) / 3), units.length)
  return `${(count / 1_000 ** power).toFixed(1)} ${units[power - 1]}`
}

export const count = (amount: number, noun: string): string =>
  `${amount.toLocaleString("en")} ${noun}${amount === 1 ? "" : "s"}`

/** Enough of a commit's name to find it. */
export const shortCommit = (commit: string): string => commit.slice(0, 10)
