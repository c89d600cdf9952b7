import { expect, it } from "@effect/vitest"
import { urlOf } from "../../src/http/Server.ts"

it.each([
  [{ _tag: "TcpAddress", hostname: "127.0.0.1", port: 8787 }, "http://127.0.0.1:8787"],
  [{ _tag: "TcpAddress", hostname: "::1", port: 8787 }, "http://[::1]:8787"],
  [{ _tag: "TcpAddress", hostname: "0.0.0.0", port: 80 }, "http://0.0.0.0:80"],
  [{ _tag: "UnixAddress", path: "/run/errand.sock" }, "unix:/run/errand.sock"]
] as const)("%j is %s", (address, url) => {
  expect(urlOf(address)).toBe(url)
})
