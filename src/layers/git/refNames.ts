/** Names of branches and tags, by the rules of `git check-ref-format`. */

// eslint-disable-next-line no-control-regex -- control characters are what this refuses
const forbidden = /[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{|\/\/|\.$|^\/|\/$|^@$|^-/u
const component = /^\.|\.lock$/
const longest = 255

/** True for what git takes as the name of a branch or a tag, at most 255 bytes of it. */
export const isRefName = (name: string): boolean =>
  name !== "" &&
  Buffer.byteLength(name) <= longest &&
  Buffer.from(name).toString() === name &&
  !forbidden.test(name) &&
  name.split("/").every((part) => part !== "" && !component.test(part))
