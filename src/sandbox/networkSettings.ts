/**
 * How programs in a sandbox find the way out, each in its own words.
 *
 * Owns: the environment and the files that lead ordinary clients to the forwarder of the runner (`runner/egress.py`).
 * Does not own: what they get there (`layers/egress/`).
 */

/** Where the directory with the socket is mounted. */
export const egressTarget = "/run/errand"

const door = "http://127.0.0.1:3128"
const home = "/home/agent"
const aptConfig = `${home}/.config/errand/apt.conf`

/** Tools read one spelling or the other. */
const bothCases = (name: string, value: string): ReadonlyArray<string> => [
  `${name}=${value}`,
  `${name.toLowerCase()}=${value}`
]

export const networkEnvironment: ReadonlyArray<string> = [
  ...bothCases("HTTP_PROXY", door),
  ...bothCases("HTTPS_PROXY", door),
  ...bothCases("NO_PROXY", "localhost,127.0.0.1,::1"),
  // In its own name, so that lock files hold the addresses that are right outside.
  "NPM_CONFIG_REGISTRY=http://registry.npmjs.org/",
  `PIP_INDEX_URL=${door}/pypi/simple/`,
  `UV_DEFAULT_INDEX=${door}/pypi/simple/`,
  `GOPROXY=${door}/go`,
  `APT_CONFIG=${aptConfig}`
]

/** Of programs that can't be told by their environment; paths are absolute. */
export const networkFiles: ReadonlyArray<readonly [path: string, text: string]> = [
  [
    `${home}/.cargo/config.toml`,
    `[source.crates-io]\nreplace-with = "errand"\n\n[source.errand]\nregistry = "sparse+${door}/crates/"\n`
  ],
  // Without root, apt can write to none of its usual places; its downloads come from the archive by name, through the proxy.
  [aptConfig, `Dir::State "${home}/.local/state/apt";\nDir::Cache "${home}/.cache/apt";\n`],
  // It makes no directories there by itself.
  [`${home}/.local/state/apt/lists/partial/.keep`, ""],
  [`${home}/.cache/apt/archives/partial/.keep`, ""]
]
