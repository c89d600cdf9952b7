/** The version of this server: a test compares it with the package's. */
export const version = "0.1.0"

/** The version of the stream's frames; it changes only when old clients can't follow. */
export const protocol = 1
