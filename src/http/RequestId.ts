/** The name of a request, in its answer and in every line that is logged about it. */
import { Context } from "effect"

export class RequestId extends Context.Tag("errand/http/RequestId")<RequestId, string>() {}

const acceptable = /^[\w.:-]{8,64}$/

/** A client may choose the name, when it looks like one. */
export const chosenRequestId = (header: string | undefined): string | undefined =>
  header !== undefined && acceptable.test(header) ? header : undefined
