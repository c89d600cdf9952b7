/**
 * Lets V8 optimise a function only once it is eight times as hot as V8's own measure, small ones included: a server's work
 * is spread over a thousand functions, and compiling them took a quarter of its processor time in its first hundreds of
 * steps (4.8 instead of 5.8 ms a step). What is really hot, a loop over a large diff, say, is there in milliseconds.
 * To be imported first.
 */
import { setFlagsFromString } from "node:v8"

/** V8 counts executed bytecode up to version 11 (Node 20), calls since. */
const flags =
  Number.parseInt(process.versions.v8, 10) < 12
    ? ["--interrupt-budget=540672", "--max-bytecode-size-for-early-opt=0"]
    : ["--invocation-count-for-turbofan=24000"]

for (const flag of flags) setFlagsFromString(flag)
