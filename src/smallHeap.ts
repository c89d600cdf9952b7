/**
 * Keeps V8's young generation at the size it starts with. Starting up makes it grow to 32 MB, which it gives back only
 * after a long while: an idle server takes a fifth less memory like this (about 101 instead of 128 MB). To be imported first.
 */
import { setFlagsFromString } from "node:v8"

setFlagsFromString("--semi-space-growth-factor=1")
