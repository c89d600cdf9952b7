/**
 * As much of S3 as Litestream uses, in memory: whole objects, and lists with a prefix, a delimiter and pages.
 *
 * Owns: answering as S3 does, keys in order and common prefixes at any depth.
 * Does not own: signatures, which nobody checks here.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { createHash } from "node:crypto"

const pageSize = 1000

const escape = (text: string) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;")

const readAll = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

interface Stored {
  readonly bytes: Buffer
  readonly etag: string
  readonly modified: Date
}

export class S3 {
  readonly objects = new Map<string, Stored>()
  readonly #server = createServer((request, response) => {
    this.#answer(request, response).catch((error: unknown) => response.destroy(error as Error))
  })
  url = ""

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve))
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", this.url)
    const [, bucket = "", ...path] = decodeURIComponent(url.pathname).split("/")
    const key = path.join("/")
    const body = await readAll(request)
    const send = (status: number, content: string | Buffer = "", headers: Readonly<Record<string, string>> = {}) =>
      response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(content) }).end(content)
    if (key === "") {
      if (url.searchParams.has("delete")) return void send(200, this.#removeAll(body.toString("utf8")))
      return void send(200, this.#list(bucket, url.searchParams), { "content-type": "application/xml" })
    }
    if (request.method === "PUT") return void send(200, "", { etag: this.#store(key, body).etag })
    if (request.method === "DELETE") {
      this.objects.delete(key)
      return void send(204)
    }
    const found = this.objects.get(key)
    if (found === undefined) return void send(404, "<Error><Code>NoSuchKey</Code></Error>")
    send(200, found.bytes, { etag: found.etag, "last-modified": found.modified.toUTCString() })
  }

  #store(key: string, bytes: Buffer): Stored {
    const stored = { bytes, etag: `"${createHash("md5").update(bytes).digest("hex")}"`, modified: new Date() }
    this.objects.set(key, stored)
    return stored
  }

  #removeAll(body: string): string {
    for (const [, key = ""] of body.matchAll(/<Key>([^<]*)<\/Key>/g)) this.objects.delete(key)
    return "<DeleteResult></DeleteResult>"
  }

  /** Everything below a common prefix is one entry, and counts as one. */
  #list(bucket: string, query: URLSearchParams): string {
    const prefix = query.get("prefix") ?? ""
    const delimiter = query.get("delimiter") ?? ""
    const after = query.get("marker") ?? query.get("continuation-token") ?? ""
    const entries = new Map<string, Stored | undefined>()
    for (const [key, stored] of this.objects) {
      if (!key.startsWith(prefix)) continue
      const end = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length)
      entries.set(end < 0 ? key : key.slice(0, end + delimiter.length), end < 0 ? stored : undefined)
    }
    const all = [...entries].filter(([name]) => name > after).toSorted(([a], [b]) => (a < b ? -1 : 1))
    const page = all.slice(0, pageSize)
    const last = all.length > page.length ? (page.at(-1)?.[0] ?? "") : undefined
    return [
      `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>${escape(bucket)}</Name>`,
      `<Prefix>${escape(prefix)}</Prefix><IsTruncated>${last !== undefined}</IsTruncated>`,
      last === undefined
        ? ""
        : `<NextMarker>${escape(last)}</NextMarker><NextContinuationToken>${escape(last)}</NextContinuationToken>`,
      ...page.map(([name, stored]) =>
        stored === undefined
          ? `<CommonPrefixes><Prefix>${escape(name)}</Prefix></CommonPrefixes>`
          : `<Contents><Key>${escape(name)}</Key><LastModified>${stored.modified.toISOString()}</LastModified><ETag>${escape(stored.etag)}</ETag><Size>${stored.bytes.length}</Size></Contents>`
      ),
      "</ListBucketResult>"
    ].join("")
  }
}
