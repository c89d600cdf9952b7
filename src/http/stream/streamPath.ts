/** Where clients open the WebSocket. */
export const streamPath = "/api/v1/stream"
