/** How V8 compiles and collects, before the server starts, while it does, and from then on. To be imported first. */
import { setFlagsFromString } from "node:v8"

/**
 * V8 optimises a function only once it has run for long: eight times as long as V8's own measure, small functions
 * included. A server's work is spread over thousands of functions, and compiling one costs milliseconds: that took a
 * quarter of the processor time of the first thousand steps. What is really hot, a loop over a large diff, say, gets
 * there in a few milliseconds; 64 times as long would cost a busy server more than it spares.
 *
 * V8 counts executed bytecode up to version 11 (Node 20), calls since.
 */
const lateOptimizer =
  Number.parseInt(process.versions.v8, 10) < 12
    ? ["--interrupt-budget=540672", "--max-bytecode-size-for-early-opt=0"]
    : ["--invocation-count-for-turbofan=24000"]

/**
 * V8's young generation stays small while the server starts: it would grow to 32 MB for what is needed only once, and
 * be given back only after a long while. An idle server takes a fifth less memory like this (104 instead of 128 MB).
 */
const smallHeap = "--semi-space-growth-factor=1"

for (const flag of [...lateOptimizer, smallHeap]) setFlagsFromString(flag)

/** Until `letHeapGrow`: nothing of a start runs often enough to be worth compiling it meanwhile on another processor. */
export const optimizeLater = (): void => setFlagsFromString("--no-opt")

/**
 * From now on it grows with the work: kept small, collecting it would take a sixth of a busy server's time. The old
 * generation is collected before it has grown by more than a fifth: with 100 subscribers and eight busy tasks a server
 * takes 180 MB like this, instead of 300 and rising.
 */
export const letHeapGrow = (): void => {
  setFlagsFromString("--opt")
  setFlagsFromString("--semi-space-growth-factor=2")
  setFlagsFromString("--heap-growing-percent=20")
}
