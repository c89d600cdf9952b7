/** What both adapters of TaskRepo agree on about money spent. */
import { Option } from "effect"
import { addUsage, noUsage, type Spend } from "../../services/Task.ts"
import type { PageRequest, SpendKey, SpendLine } from "../../services/TaskRepo.ts"
import { keyOf } from "./pages.ts"

export const noSpend: Spend = { ...noUsage, responses: 0 }

/** Sums of many floats have tails of their own, which adding to nothing rounds away. */
export const rounded = (spend: Spend): Spend => ({ ...addUsage(noUsage, spend), responses: spend.responses })

/** Days stand in their order, everything else in the order of its cost: the place of a line is both. */
export interface SpendPlace {
  readonly cost: number
  readonly key: string
}

/** Lines stand from the last place to the first. */
export const placeOf = (by: SpendKey, { costUsd, key }: SpendLine): SpendPlace => ({
  cost: by === "day" ? 0 : costUsd,
  key
})

export const writePlace = ({ cost, key }: SpendPlace): string => `${cost} ${key}`

/** Where the page before ended; a forged cursor is a place before which nothing stands. */
export const placeBefore = (page: PageRequest): SpendPlace =>
  Option.match(keyOf(page), {
    onNone: () => ({ cost: Number.MAX_VALUE, key: "" }),
    onSome: (written) => {
      const [, cost = "-1", key = ""] = /^(\d[\d.e+-]*) ([^]*)$/.exec(written) ?? []
      return { cost: Number(cost), key }
    }
  })
