/** Every event of a task, once and in order, through lost connections and restarts of the server. */
import { backoff, type ClientFrame, type Errand, type ServerFrame, SignedOut, sleep } from "./errand.ts"
import type { Task, TaskEvent } from "./errand.ts"

/** How far somebody has read: kept together with what is shown. A task has these; `seq: 0` begins at the beginning. */
export interface Place {
  readonly id: string
  seq: number
  epoch?: string
  status: string
}

export interface Reader {
  readonly event: (event: TaskEvent, seq: number) => void
  /** Half-written words of the model, or output of a running command: all of it so far. An event replaces it. */
  readonly preview: (item: string, text: string) => void
  /** The server has another log now: forget what was shown and show this. */
  readonly snapshot: (task: Task) => void
  /** Only while this is true is it certain that what is shown is new. */
  readonly live: (isLive: boolean) => void
}

const finals = ["task.completed", "task.failed", "task.cancelled"]
const isFinal = ({ status }: Place) => finals.includes(`task.${status}`)

/** Close codes of our own making: the task is final, the task is gone. */
const over = { final: 4900, deleted: 4901 }

/** One connection, until it ends; gives the code of its end. `onLive` is called when it has caught up. */
const connect = (errand: Errand, token: string, place: Place, reader: Reader, onLive: () => void) =>
  new Promise<number>((resolve) => {
    const stream = `task:${place.id}`
    const socket = new WebSocket(`${errand.url.replace(/^http/, "ws")}/api/v1/stream`)
    const texts = new Map<string, string>()
    let heard = Date.now()
    let isLive = false

    const send = (frame: ClientFrame) => socket.send(JSON.stringify(frame))
    const subscribe = () => {
      isLive = false
      send({
        type: "subscribe",
        stream,
        after: place.seq,
        ...(place.epoch === undefined ? {} : { epoch: place.epoch })
      })
    }
    const end = (code: number) => {
      clearInterval(watch)
      socket.onmessage = null
      socket.close()
      resolve(code)
    }
    // A connection can be dead without knowing it: ask after 10 s of silence, give up after 20.
    const watch = setInterval(() => {
      if (Date.now() - heard > 20_000) end(1006)
      else if (isLive && Date.now() - heard > 10_000) send({ type: "ping" })
    }, 1000)

    const onEvent = (event: TaskEvent, seq: number) => {
      place.seq = seq
      if (event.type === "task.queued") place.status = "queued"
      if (finals.includes(event.type)) place.status = event.type.slice("task.".length)
      reader.event(event, seq)
    }

    const onFrame = async (frame: ServerFrame) => {
      switch (frame.type) {
        case "event":
          if (frame.event.type === "task.changed" || frame.seq <= place.seq) return
          if (frame.seq === place.seq + 1) onEvent(frame.event, frame.seq)
          else if (isLive) subscribe()
          break
        case "preview": {
          // Where the beginning was missed, nothing is shown until the next beginning.
          const before = frame.offset === 0 ? "" : texts.get(frame.item)
          if (before?.length !== frame.offset) return
          texts.set(frame.item, before + frame.text)
          return reader.preview(frame.item, before + frame.text)
        }
        case "subscribed":
          place.epoch = frame.epoch
          isLive = true
          reader.live(true)
          onLive()
          break
        case "pong":
          // The newest event was lost on the way, and nothing after it would have told.
          if (isLive && (frame.heads[stream] ?? 0) > place.seq) subscribe()
          return
        case "reset": {
          if (frame.reason !== "slow") {
            const task = await errand.task(place.id)
            Object.assign(place, { seq: task.seq, epoch: task.epoch, status: task.status })
            reader.snapshot(task)
          }
          return subscribe()
        }
        case "error":
          return frame.code === "not_found" ? end(over.deleted) : undefined
      }
      if (isLive && isFinal(place)) end(over.final)
    }

    socket.onopen = () => {
      send({ type: "authenticate", token })
      subscribe()
    }
    socket.onmessage = ({ data }) => {
      heard = Date.now()
      // One object or an array of them. What is not known here falls through the switch.
      for (const frame of [JSON.parse(String(data))].flat()) onFrame(frame).catch(() => end(1006))
    }
    socket.onclose = ({ code }) => end(code)
  })

/** Ends when the task has ended. `awake` settles when there is reason to try at once: the app is seen, the network is back. */
export const followTask = async (
  errand: Errand,
  place: Place,
  reader: Reader,
  awake: () => Promise<void> = () => new Promise(() => undefined)
): Promise<"final" | "deleted"> => {
  let failures = 0
  for (let renew = false; ;) {
    try {
      const token = await errand.tokens(renew)
      const code = await connect(errand, token, place, reader, () => (failures = 0))
      reader.live(false)
      if (code === over.final) return "final"
      if (code === over.deleted) return "deleted"
      if (code === 4401 && renew) throw new SignedOut("Sign in again.")
      renew = code === 4401
      if (renew) continue
    } catch (error) {
      if (error instanceof SignedOut) throw error
    }
    await Promise.race([sleep(backoff(failures++)), awake()])
  }
}
