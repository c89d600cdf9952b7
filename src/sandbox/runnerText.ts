/** The program that every container runs as its main process; the parts are in the order in which they build on another. */
import budget from "./runner/budget.py?raw"
import commands from "./runner/commands.py?raw"
import egress from "./runner/egress.py?raw"
import ends from "./runner/ends.py?raw"
import files from "./runner/files.py?raw"
import frames from "./runner/frames.py?raw"
import loop from "./runner/loop.py?raw"
import streams from "./runner/streams.py?raw"
import tree from "./runner/tree.py?raw"

export const runnerText = [frames, tree, commands, streams, ends, files, budget, egress, loop].join("\n")
