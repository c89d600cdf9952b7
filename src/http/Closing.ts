/** Tells streams that the server is stopping, so that it need not wait for them. */
import { Context, Deferred, Layer } from "effect"

export class Closing extends Context.Tag("errand/http/Closing")<Closing, Deferred.Deferred<void>>() {}

export const layer = Layer.effect(Closing, Deferred.make<void>())
