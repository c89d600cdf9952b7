/** What a browser shows after a sign-in, until there are pages to go to. It runs nothing and loads nothing. */
import { HttpServerResponse } from "@effect/platform"

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;"
}

const escaped = (text: string) => text.replace(/[&<>"']/g, (character) => escapes[character] ?? "")

export const signedInPage = (login: string) =>
  HttpServerResponse.text(
    `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Errand</title><p>This browser is signed in as ${escaped(login)}.</p></html>`,
    {
      contentType: "text/html; charset=utf-8",
      headers: {
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        "referrer-policy": "no-referrer"
      }
    }
  )
