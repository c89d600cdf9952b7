/** The first git that can be told which address to connect to (`http.curloptResolve`). */
export const oldestGit = "2.37"

const numbers = (text: string) => (/(\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number)

const [oldestMajor = 0, oldestMinor = 0] = numbers(oldestGit)

/** `text` is what git says of its version; what names none is too old. */
export const isTooOld = (text: string): boolean => {
  const [major = 0, minor = 0] = numbers(text)
  return major < oldestMajor || (major === oldestMajor && minor < oldestMinor)
}
