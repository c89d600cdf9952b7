/** From the figures of all rounds to a table with ratios, and to the goals that were met or missed. */
import type { FigureName, Figures } from "./round.ts"
import { settings } from "./settings.ts"
import { median } from "./statistics.ts"

export interface Rounds {
  readonly loop: ReadonlyArray<Figures>
  readonly errand: ReadonlyArray<Figures>
}

type Row = readonly [title: string, figure: FigureName, digits: number]

const { crowd, crowdSteps, steps } = settings

const sections: ReadonlyArray<readonly [title: string, rows: ReadonlyArray<Row>]> = [
  [
    `A task of ${steps} steps`,
    [
      ["end of answer to next request, p50, ms", "gapMs", 2],
      ["  p90", "gapP90Ms", 2],
      ["  p50 after a command", "gapAfterCommandMs", 2],
      ["  p50 after an edit", "gapAfterEditMs", 2],
      ["  p50 of the first task after the start", "firstGapMs", 2],
      ["CPU for each step, ms", "cpuMs", 2],
      ["  of the first task after the start", "firstCpuMs", 2],
      ["  with preparing and delivering", "wholeCpuMs", 2],
      ["CPU in the container for each step, ms", "containerCpuMs", 2],
      ["CPU of the engine for each step, ms", "engineCpuMs", 2],
      ["CPU of the scripted model for each step, ms", "modelCpuMs", 2],
      ["from handing over to the end, s", "taskSeconds", 2]
    ]
  ],
  [
    `${crowd} tasks of ${crowdSteps} steps at once`,
    [
      ["steps a second, from handing over to the last answer", "crowdStepsPerSecond", 1],
      ["steps a second, from the first request of any", "crowdPace", 1],
      ["CPU for each step, ms", "crowdCpuMs", 2],
      ["from handing over to the end, s", "crowdSeconds", 2],
      ["peak memory, MB", "peakMb", 0]
    ]
  ],
  [
    "The process",
    [
      [`memory when idle, ${settings.idleMs / 1000} s after the start, MB`, "idleMb", 0],
      ["start to first answered request, ms", "startMs", 0],
      ["first task handed over to first answer of the model, ms", "firstAnswerMs", 0]
    ]
  ],
  [
    "Model text to reader",
    [
      ["p50, ms", "textP50Ms", 2],
      ["p99, ms", "textP99Ms", 2]
    ]
  ],
  [
    "Prompt",
    [
      ["bytes for each step", "promptBytes", 0],
      ["  growth with each step", "promptGrowth", 0],
      ["  total of the task", "promptTotal", 0],
      ["served from the cache, %", "cachedPercent", 1]
    ]
  ]
]

export const medianOf = (rounds: ReadonlyArray<Figures>, figure: FigureName): number =>
  median(rounds.map((figures) => figures[figure]))

/** The median of the rounds' own ratios: what disturbed a round disturbed both sides of it. */
const ratioOf = ({ errand, loop }: Rounds, figure: FigureName): number =>
  median(errand.map((figures, round) => figures[figure] / (loop[round]?.[figure] ?? Number.NaN)))

export interface Goal {
  readonly name: string
  readonly value: number
  readonly limit: number
  readonly met: boolean
}

const atMost = (name: string, value: number, limit: number): Goal => ({ name, value, limit, met: value <= limit })
const atLeast = (name: string, value: number, limit: number): Goal => ({ name, value, limit, met: value >= limit })

export const goalsOf = (rounds: Rounds): ReadonlyArray<Goal> => [
  atMost("gap, times the loop's, at most", ratioOf(rounds, "gapMs"), 2),
  atMost("CPU for each step, times the loop's, at most", ratioOf(rounds, "cpuMs"), 2),
  atLeast(
    `${crowd} tasks at once, times the loop's steps a second, at least`,
    ratioOf(rounds, "crowdStepsPerSecond"),
    0.65
  ),
  atMost(`peak memory with ${crowd} tasks, MB, at most`, medianOf(rounds.errand, "peakMb"), 200),
  atMost("idle memory, MB, at most", medianOf(rounds.errand, "idleMb"), 130)
]

const shown = (value: number, digits: number): string => (Number.isFinite(value) ? value.toFixed(digits) : "–")

const spread = (rounds: ReadonlyArray<Figures>, figure: FigureName, digits: number): string => {
  const values = rounds.map((figures) => figures[figure]).filter(Number.isFinite)
  return `${shown(Math.min(...values), digits)}–${shown(Math.max(...values), digits)}`
}

const line = (title: string, loop: string, errand: string, ratio: string, spread: string): string =>
  `${title.padEnd(58)}${loop.padStart(10)}${errand.padStart(10)}${ratio.padStart(9)}   ${spread}`

export const table = (rounds: Rounds): string =>
  [
    line("medians", "loop", "Errand", "ratio", "loop, Errand: least–most"),
    ...sections.flatMap(([title, rows]) => [
      "",
      title,
      ...rows.map(([title, figure, digits]) =>
        line(
          `  ${title}`,
          shown(medianOf(rounds.loop, figure), digits),
          shown(medianOf(rounds.errand, figure), digits),
          shown(ratioOf(rounds, figure), 2),
          `${spread(rounds.loop, figure, digits)}, ${spread(rounds.errand, figure, digits)}`
        )
      )
    ])
  ].join("\n")

export const verdict = (goals: ReadonlyArray<Goal>): string =>
  goals
    .map(({ limit, met, name, value }) => `${met ? "PASS" : "FAIL"}  ${name} ${limit}: ${shown(value, 2)}`)
    .join("\n")

/** The same for programs. */
export const toJson = (rounds: Rounds): string =>
  JSON.stringify(
    {
      settings: { rounds: rounds.loop.length, steps, crowd, crowdSteps },
      figures: Object.fromEntries(
        sections
          .flatMap(([, rows]) => rows)
          .map(([, figure]) => [
            figure,
            {
              loop: medianOf(rounds.loop, figure),
              errand: medianOf(rounds.errand, figure),
              ratio: ratioOf(rounds, figure)
            }
          ])
      ),
      goals: goalsOf(rounds),
      rounds
    },
    null,
    2
  )
