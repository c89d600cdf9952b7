/** A file's text, put into the module graph by esbuild (scripts/bundle/rawText.mjs) and by Vite alike. */
declare module "*?raw" {
  const text: string
  export default text
}
