import { readFile } from "node:fs/promises"

/**
 * Puts an object with `now` alone in the place of Node's own `performance`, which loads nine modules when it is first
 * looked at. A bundle that uses anything else of it is not made: it would break when it runs.
 */
const name = "bundlePerformance"
const use = new RegExp(`(?<!typeof )\\b${name}\\b(?!\\.now\\b)`, "g")

export const ownPerformance = {
  name: "ownPerformance",
  setup(build) {
    const options = build.initialOptions
    const banner = `${options.banner.js}\nconst ${name} = { now: () => process.uptime() * 1000 }`
    options.banner = { js: banner }
    options.define = { ...options.define, performance: name }

    build.onEnd(async ({ errors }) => {
      if (errors.length > 0) return
      const text = (await readFile(options.outfile, "utf8")).slice(banner.length)
      const told = Array.from(text.matchAll(use), ({ index }) => text.slice(index - 80, index + 80))
      return {
        errors: told.map((place) => ({
          text: `the bundle has only now() of performance, and this uses more: …${place.replaceAll(name, "performance")}…`
        }))
      }
    })
  }
}
