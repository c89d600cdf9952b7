/**
 * What the scripted model says in the benchmark, the same to both sides: a cheap command in each step, a whole file
 * written in every fifth, and at the end a text. There is no thinking time.
 */
import type { ScriptSource } from "../src/layers/scripted/Script.ts"

/** The file that the task edits. */
export const editedFile = "progress.md"

const editEvery = 5

/** Characters a second of the text whose way to the subscriber is timed, and how long it is written. */
const typingSpeed = 400
const typingSeconds = 2.5

/** What the edited file holds after a step: the last lines of a diary. */
export const fileAfter = (step: number): string =>
  ["# Progress", "", ...Array.from({ length: editEvery }, (_, line) => diary(step - line)), ""].join("\n")

const diary = (step: number) => `- Step ${step} is done, and what it brought about was looked at.`

/** The last step of a task that edits the file. */
export const lastEdit = (steps: number): number => steps - (steps % editEvery)

/** The tool that a step calls; none after the last one. */
export const toolOf = (step: number, steps: number): string | undefined =>
  step > steps ? undefined : step % editEvery === 0 ? "write_file" : "run_command"

const call = (step: number) =>
  step % editEvery === 0
    ? { name: "write_file", input: { path: editedFile, content: fileAfter(step) } }
    : { name: "run_command", input: { command: `echo "${finding(step)}"` } }

const finding = (step: number) => `step ${step}: nothing is wrong`

/** What the tool of a step must answer, on both sides; otherwise the conversation breaks off. */
const resultOf = (step: number) =>
  step % editEvery === 0 ? `Wrote ${Buffer.byteLength(fileAfter(step))} bytes to ${editedFile}.` : finding(step)

const task = (steps: number) => [
  ...Array.from({ length: steps }, (_, index) => ({
    text: `Step ${index + 1}: I look at how things stand now, and then I go on with the next part of the work.`,
    tools: [call(index + 1)],
    ...(index > 0 && { when: { toolResult: resultOf(index) } })
  })),
  { text: `All ${steps} steps are done, and ${editedFile} says so.`, when: { toolResult: resultOf(steps) } }
]

const sentence = "This text is written at the pace of a model so that its way to the reader can be timed. "
const typedText = sentence.repeat(Math.ceil((typingSpeed * typingSeconds) / sentence.length))

export const stepsPrompt = (steps: number): string => `Do the ${steps} steps of the benchmark.`
export const typingPrompt = "Write the text of the benchmark."

/** One scenario for each number of steps, and one that only writes. */
export const benchmarkScript = (stepCounts: ReadonlyArray<number>): ScriptSource => ({
  scenarios: [
    { name: "typing", match: typingPrompt, steps: [{ text: typedText, charactersPerSecond: typingSpeed }] },
    ...[...new Set(stepCounts)].map((steps) => {
      const [first = { text: "" }, ...rest] = task(steps)
      return { name: `${steps} steps`, match: stepsPrompt(steps), steps: [first, ...rest] as const }
    })
  ]
})
