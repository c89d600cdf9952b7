/** Small packages of three ecosystems, made here, and the registries that serve them as the public ones do. */
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { once } from "node:events"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { crc32 } from "node:zlib"

type Files = Readonly<Record<string, string>>

/** A zip archive of stored files: wheels and Go's modules are such. */
const zip = (files: Files): Buffer => {
  const local: Array<Buffer> = []
  const central: Array<Buffer> = []
  let at = 0
  for (const [name, text] of Object.entries(files)) {
    const path = Buffer.from(name)
    const content = Buffer.from(text)
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(0x21, 8)
    common.writeUInt32LE(crc32(content), 10)
    common.writeUInt32LE(content.length, 14)
    common.writeUInt32LE(content.length, 18)
    common.writeUInt16LE(path.length, 22)
    const offset = Buffer.alloc(14)
    offset.writeUInt32LE(at, 10)
    const piece = Buffer.concat([Buffer.from("PK\x03\x04"), common, path, content])
    local.push(piece)
    central.push(Buffer.from("PK\x01\x02\x14\x00", "latin1"), common, offset, path)
    at += piece.length
  }
  const directory = Buffer.concat(central)
  const end = Buffer.alloc(18)
  end.writeUInt16LE(local.length, 4)
  end.writeUInt16LE(local.length, 6)
  end.writeUInt32LE(directory.length, 8)
  end.writeUInt32LE(at, 12)
  return Buffer.concat([...local, directory, Buffer.from("PK\x05\x06"), end])
}

/** A compressed tar archive: crates are such. */
const tarball = (files: Files): Buffer => {
  const directory = mkdtempSync(join(tmpdir(), "errand-crate-"))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true })
    writeFileSync(join(directory, name), text)
  }
  const bytes = execFileSync(
    "tar",
    ["-C", directory, "-czf", "-", ...new Set(Object.keys(files).map((name) => name.split("/")[0] ?? ""))],
    { maxBuffer: 2 ** 20 }
  )
  rmSync(directory, { recursive: true })
  return bytes
}

const wheel = zip({
  "tinywheel.py": "answer = 42\n",
  "tinywheel-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tinywheel\nVersion: 1.0\n",
  "tinywheel-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
  "tinywheel-1.0.dist-info/RECORD": "tinywheel.py,,\n"
})

const crate = tarball({
  "tiny-crate-1.0.0/Cargo.toml": '[package]\nname = "tiny-crate"\nversion = "1.0.0"\nedition = "2021"\n',
  "tiny-crate-1.0.0/src/lib.rs": "pub fn answer() -> u32 {\n    42\n}\n"
})

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex")

const goMod = "module example.com/tiny\n\ngo 1.19\n"

const entry = (url: string) => ({
  "/pypi/simple/tinywheel/": `<!DOCTYPE html><a href="${url}/packages/ti/tinywheel-1.0-py3-none-any.whl#sha256=${sha256(wheel)}">tinywheel-1.0-py3-none-any.whl</a>`,
  "/packages/ti/tinywheel-1.0-py3-none-any.whl": wheel,
  "/crates/config.json": JSON.stringify({ dl: `${url}/api/v1/crates`, api: url }),
  "/crates/ti/ny/tiny-crate": `${JSON.stringify({ name: "tiny-crate", vers: "1.0.0", deps: [], cksum: sha256(crate), features: {}, yanked: false })}\n`,
  "/api/v1/crates/tiny-crate/1.0.0/download": crate,
  "/go/example.com/tiny/@v/list": "v1.0.0\n",
  "/go/example.com/tiny/@v/v1.0.0.info": '{"Version":"v1.0.0","Time":"2026-01-01T00:00:00Z"}',
  "/go/example.com/tiny/@v/v1.0.0.mod": goMod,
  "/go/example.com/tiny/@v/v1.0.0.zip": zip({
    "example.com/tiny@v1.0.0/go.mod": goMod,
    "example.com/tiny@v1.0.0/tiny.go": "package tiny\n\nfunc Answer() int { return 42 }\n"
  })
})

/** PyPI, crates.io and Go's proxy on one address of loopback, below `/pypi`, `/crates` and `/go`; npm is there to be written to. */
export class PackageServer {
  url = ""
  /** `METHOD path` of everything that was asked. */
  readonly got: Array<string> = []
  #server: Server | undefined

  async listen(): Promise<void> {
    this.#server = createServer((request, response) => {
      this.got.push(`${request.method} ${request.url}`)
      const pages: Readonly<Record<string, string | Buffer>> = entry(this.url)
      const page = pages[request.url ?? ""]
      if (page === undefined) response.writeHead(404).end()
      else response.writeHead(200, request.url?.startsWith("/pypi/") ? { "content-type": "text/html" } : {}).end(page)
    })
    this.#server.listen(0, "127.0.0.1")
    await once(this.#server, "listening")
    const address = this.#server.address()
    this.url = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
  }

  close(): void {
    this.#server?.closeAllConnections()
    this.#server?.close()
  }
}
