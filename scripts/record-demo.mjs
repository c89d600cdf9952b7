/**
 * `npm run demo:record`: runs the demo in a terminal and draws what it showed, as it showed it, into docs/demo.svg.
 *
 * util-linux's `script` records a pty with its timing, xterm says what a screen would have shown, and each screen that
 * differs from the one before becomes a frame. It plays at a third of its speed, so that people can read along.
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import xterm from "@xterm/headless"

const target = fileURLToPath(new URL("../docs/demo.svg", import.meta.url))
const columns = 100
const rows = 30
const slower = 3
/** Nobody watches a build. */
const longestMs = 2_500
/** Frames that stand for less would only flicker. */
const shortestMs = 90
const lastMs = 8_000

const cell = { width: 8.4, height: 18 }
const margin = { x: 18, top: 44, bottom: 16 }

const colors = {
  background: "#15191f",
  bar: "#20262e",
  text: "#d6dde6",
  quiet: "#8a96a5",
  /** The sixteen of a terminal, in its order. */
  palette: (
    "#5c6773 #ff7b72 #7ee787 #e3b341 #79b8ff #d2a8ff #66d9ef #d6dde6 " +
    "#8a96a5 #ffa198 #a2f2ae #f2cc60 #a5d0ff #e2c5ff #9be9f5 #ffffff"
  ).split(" ")
}

/** What the terminal got, in order: `{ms, text}`, where `ms` is how long it took to come. */
const record = () => {
  const directory = mkdtempSync(join(tmpdir(), "errand-record-"))
  try {
    const [output, timing] = [join(directory, "output"), join(directory, "timing")]
    const command = `stty cols ${columns} rows ${rows}; exec npm run --silent demo`
    const env = {
      ...process.env,
      TERM: "xterm-256color",
      COLORTERM: "",
      NO_COLOR: undefined,
      npm_config_loglevel: "error"
    }
    execFileSync("script", ["-q", "-e", "-m", "classic", "-O", output, "-T", timing, "-c", command], {
      env,
      stdio: ["ignore", "ignore", "inherit"]
    })
    const bytes = readFileSync(output)
    let at = bytes.indexOf("\n") + 1
    return readFileSync(timing, "utf8")
      .trim()
      .split("\n")
      .map((line) => line.split(" ").map(Number))
      .map(([seconds, length]) => ({ ms: seconds * 1000, bytes: bytes.subarray(at, (at += length)) }))
  } finally {
    rmSync(directory, { recursive: true })
  }
}

const escape = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

const styleOf = (one) => {
  const color = one.isFgPalette() ? colors.palette[one.getFgColor()] : undefined
  return [
    ...(color === undefined ? (one.isDim() ? [`fill="${colors.quiet}"`] : []) : [`fill="${color}"`]),
    ...(one.isBold() ? [`font-weight="bold"`] : [])
  ].join(" ")
}

/** One line of the screen as SVG; every piece has the width of its cells, whatever font is at hand. */
const drawLine = (line) => {
  const pieces = []
  for (let x = 0; x < columns; x++) {
    const one = line?.getCell(x)
    if (one === undefined || one.getWidth() === 0) continue
    const [text, style] = [one.getChars() || " ", styleOf(one)]
    const last = pieces.at(-1)
    if (last !== undefined && last.style === style) last.text += text
    else pieces.push({ x, text, style })
  }
  return pieces
    .filter(({ text }) => text.trim() !== "")
    .map(({ style, text, x }) => {
      const [start, words] = [text.length - text.trimStart().length, text.trim()]
      const width = ([...words].length * cell.width).toFixed(1)
      return `<text x="${((x + start) * cell.width).toFixed(1)}" textLength="${width}" ${style}>${escape(words)}</text>`
    })
    .join("")
}

const drawScreen = ({ buffer: { active } }) =>
  Array.from({ length: rows }, (_, y) => drawLine(active.getLine(active.viewportY + y)))

/** The screens that were shown, with how long each of them was. */
const screensOf = async (pieces) => {
  const terminal = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true })
  const write = (data) => new Promise((resolve) => terminal.write(data, resolve))
  await write("\x1b[2m$\x1b[0m npm run demo\r\n\r\n")
  const screens = [{ lines: drawScreen(terminal), ms: 0 }]
  for (const { bytes, ms } of pieces) {
    const shown = screens.at(-1)
    shown.ms = Math.min(longestMs, shown.ms + ms * slower)
    await write(bytes)
    const lines = drawScreen(terminal)
    if (lines.join() === shown.lines.join()) continue
    if (shown.ms < shortestMs) shown.lines = lines
    else screens.push({ lines, ms: 0 })
  }
  screens.at(-1).ms = lastMs
  return screens
}

const draw = (screens) => {
  const [width, height] = [columns * cell.width + 2 * margin.x, rows * cell.height + margin.top + margin.bottom]
  const known = new Map()
  const nameOf = (line) => known.get(line) ?? known.set(line, `l${known.size}`).get(line)
  const total = screens.reduce((sum, { ms }) => sum + ms, 0)
  let passed = 0
  const frames = screens.map(({ lines, ms }, index) => {
    const start = ((passed / total) * 100).toFixed(3)
    passed += ms
    const uses = lines.map((line, y) =>
      line === "" ? "" : `<use href="#${nameOf(line)}" y="${y * cell.height + 14}"/>`
    )
    return {
      step: `${start}%{transform:translateX(${-index * width}px)}`,
      svg: `<g transform="translate(${index * width})">${uses.join("")}</g>`
    }
  })
  const still = -(screens.length - 1) * width
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="A run of npm run demo in a terminal">`,
    `<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre}`,
    `.film{animation:film ${(total / 1000).toFixed(1)}s steps(1,end) infinite}`,
    `@keyframes film{${frames.map(({ step }) => step).join("")}}`,
    `@media(prefers-reduced-motion:reduce){.film{animation:none;transform:translateX(${still}px)}}</style>`,
    `<defs>${[...known].map(([line, name]) => `<g id="${name}">${line}</g>`).join("\n")}</defs>`,
    `<rect width="${width}" height="${height}" rx="10" fill="${colors.background}" stroke="${colors.bar}"/>`,
    `<path d="M0 28V10A10 10 0 0 1 10 0H${width - 10}A10 10 0 0 1 ${width} 10V28Z" fill="${colors.bar}"/>`,
    ...["#ff7b72", "#e3b341", "#7ee787"].map(
      (color, index) => `<circle cx="${18 + index * 18}" cy="14" r="5" fill="${color}"/>`
    ),
    `<svg x="${margin.x}" y="${margin.top}" width="${columns * cell.width}" height="${rows * cell.height}" overflow="hidden"><g class="film" fill="${colors.text}">`,
    ...frames.map(({ svg }) => svg),
    `</g></svg></svg>`,
    ""
  ].join("\n")
}

const screens = await screensOf(record())
const picture = draw(screens)
writeFileSync(target, picture)
console.log(`${target}: ${screens.length} frames, ${(picture.length / 1024).toFixed(0)} KiB`)
