/** Text as a comment at the end of a file, and back. */

const start = "\n/*\n"
const end = "\n*/\n"
/** What would end the comment too early, and what stands for it: a character that no source has. */
const [early, instead] = ["*/", "*\u007f/"]

export const toComment = (text) => {
  if (text.includes(instead)) throw new Error("the bundle has the character that stands for the end of a comment")
  return `${start}${text.replaceAll(early, instead)}${end}`
}

export const fromComment = (file) =>
  file.slice(file.indexOf(start) + start.length, -end.length).replaceAll(instead, early)
