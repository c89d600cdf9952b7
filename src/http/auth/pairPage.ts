/**
 * `/pair`: where a pairing link leads a browser. The code is in the fragment, which no server and no log sees.
 */
import { createHash } from "node:crypto"
import { HttpApiBuilder, HttpServerResponse } from "@effect/platform"
import page from "./pair.html?raw"
import script from "./pair.js.txt?raw"

const policy = [
  "default-src 'none'",
  `script-src 'sha256-${createHash("sha256").update(script).digest("base64")}'`,
  "connect-src 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "base-uri 'none'"
].join("; ")

const answer = HttpServerResponse.text(
  page.replace("<!-- script -->", () => `<script>${script}</script>`),
  {
    contentType: "text/html; charset=utf-8",
    headers: { "content-security-policy": policy, "referrer-policy": "no-referrer" }
  }
)

export const layer = HttpApiBuilder.Router.use((router) => router.get("/pair", answer))
