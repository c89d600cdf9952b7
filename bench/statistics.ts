/** The few statistics that the benchmark needs. */

/** The value below which a share `p` (0 to 1) of the values lies; NaN for none. */
export const percentile = (values: ReadonlyArray<number>, p: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? Number.NaN
}

/** The middle value, or the mean of the two in the middle, of those that were measured: NaN is left out. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.filter(Number.isFinite).toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const upper = sorted[Math.floor(middle)] ?? Number.NaN
  return Number.isInteger(middle) ? (upper + (sorted[middle - 1] ?? Number.NaN)) / 2 : upper
}

export const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)

export const mean = (values: ReadonlyArray<number>): number => sum(values) / values.length
