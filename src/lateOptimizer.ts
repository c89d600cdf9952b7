/**
 * Lets V8 optimise a function only once it has run for long: eight times as long as V8's own measure, small functions
 * included. A server's work is spread over thousands of functions, and compiling one costs milliseconds: that took a
 * quarter of the processor time of the first thousand steps. What is really hot, a loop over a large diff, say, gets
 * there in a few milliseconds; 64 times as long would cost a busy server more than it spares. To be imported first.
 */
import { setFlagsFromString } from "node:v8"

/** V8 counts executed bytecode up to version 11 (Node 20), calls since. */
const flags =
  Number.parseInt(process.versions.v8, 10) < 12
    ? ["--interrupt-budget=540672", "--max-bytecode-size-for-early-opt=0"]
    : ["--invocation-count-for-turbofan=24000"]

for (const flag of flags) setFlagsFromString(flag)
