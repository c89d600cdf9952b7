/**
 * The name of a request, in its answer and in every line that is logged about it.
 */
const acceptable = /^[\w.:-]{8,64}$/

/** A client may choose the name, when it looks like one. */
export const chosenRequestId = (header: string | undefined): string | undefined =>
  header !== undefined && acceptable.test(header) ? header : undefined
