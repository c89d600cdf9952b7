/** Periods of budgets in the calendar of UTC. Pure. */
import { DateTime } from "effect"
import type { BudgetPeriod } from "../../services/Budgets.ts"
import { type Day, Timestamp } from "../../services/Task.ts"

/** Names the period that a day belongs to: a later one sorts after it. */
export const periodOf = (period: BudgetPeriod, day: Day): string => {
  switch (period) {
    case "day":
      return day
    case "month":
      return day.slice(0, 7)
    case "total":
      return ""
  }
}

export const firstDay = (period: BudgetPeriod, day: Day): Day => {
  switch (period) {
    case "day":
      return day
    case "month":
      return `${day.slice(0, 7)}-01`
    case "total":
      return "1970-01-01"
  }
}

/** The moment at which the period after that of `day` begins. */
export const resetsAt = (period: BudgetPeriod, day: Day): Timestamp | null => {
  if (period === "total") return null
  const start = DateTime.unsafeMake(`${firstDay(period, day)}T00:00:00.000Z`)
  return Timestamp.make(DateTime.formatIso(DateTime.add(start, period === "day" ? { days: 1 } : { months: 1 })))
}

export const dayAt = (milliseconds: number): Day => DateTime.formatIsoDateUtc(DateTime.unsafeMake(milliseconds))
