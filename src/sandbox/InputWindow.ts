/** Standard input of a program behind a runner: sent only as fast as the program reads it. */
import { Effect } from "effect"
import { inputWindow, noMoreInput, Request } from "./frames.ts"
import type { RunnerConnection } from "./RunnerConnection.ts"

const pieceBytes = 64 * 1024

export class InputWindow {
  readonly #connection: RunnerConnection
  readonly #id: number
  #room = inputWindow
  #refused = false
  /** Who waits for room. */
  #onRoom: (() => void) | undefined

  constructor(connection: RunnerConnection, id: number) {
    this.#connection = connection
    this.#id = id
  }

  /** `Answer.want`: room for so many bytes more, or the end of all interest. */
  grant(bytes: number): void {
    this.#refused ||= bytes === noMoreInput
    this.#room += bytes
    const onRoom = this.#onRoom
    this.#onRoom = undefined
    onRoom?.()
  }

  /** Sends all of it and the end, by and by. */
  putAll(bytes: Uint8Array): void {
    const rest = this.#send(bytes)
    if (rest.length === 0) this.#end()
    else this.#onRoom = () => this.putAll(rest)
  }

  /** Returns once all of it is on the way: true, or false when the program reads no more. */
  put(bytes: Uint8Array): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      const rest = this.#send(bytes)
      if (this.#refused || rest.length === 0) return Effect.succeed(!this.#refused)
      return Effect.zipRight(this.#untilRoom, this.put(rest))
    })
  }

  readonly end = Effect.sync(() => this.#end())

  /** Gives what there was no room for. */
  #send(bytes: Uint8Array): Uint8Array {
    let at = 0
    while (at < bytes.length && this.#room > 0 && !this.#refused) {
      const piece = bytes.subarray(at, at + Math.min(pieceBytes, this.#room))
      this.#connection.send(Request.input, this.#id, piece)
      this.#room -= piece.length
      at += piece.length
    }
    return this.#refused ? bytes.subarray(bytes.length) : bytes.subarray(at)
  }

  #end(): void {
    if (!this.#refused) this.#connection.send(Request.input, this.#id)
  }

  readonly #untilRoom = Effect.async<void>((resume) => {
    this.#onRoom = () => resume(Effect.void)
  })
}
