/**
 * The sessions of whoever uses this machine's command line, one for each server, in a file for them alone.
 *
 * Owns: where it is, its form, changing it one process at a time.
 * Does not own: when a session is renewed (`session.ts`).
 */
import { homedir } from "node:os"
import { isAbsolute, join } from "node:path"
import { Reactivity } from "@effect/experimental"
import { FileSystem } from "@effect/platform"
import type { PlatformError } from "@effect/platform/Error"
import { Config, Effect, Record, Schedule, Schema, type Scope } from "effect"
import { replaceKept } from "../../layers/keptFile.ts"

/** What a server gave at the last sign-in or renewal. */
export const SavedSession = Schema.Struct({
  deviceId: Schema.String,
  accessToken: Schema.Redacted(Schema.String),
  /** In milliseconds since 1970, by the clock of this machine. */
  accessTokenEndsAt: Schema.Number,
  /** Good for one renewal. */
  refreshToken: Schema.Redacted(Schema.String)
})
export interface SavedSession extends Schema.Schema.Type<typeof SavedSession> {}

/** By the URL of the server. */
const Sessions = Schema.Record({ key: Schema.String, value: SavedSession })
const Content = Schema.parseJson(Schema.Struct({ sessions: Sessions }), { space: 2 })

const decode = Schema.decode(Content)
const encode = Schema.encode(Content)

export class SessionFileUnusable extends Schema.TaggedError<SessionFileUnusable>()("SessionFileUnusable", {
  path: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.path}, where your sessions are kept, can't be used: ${this.detail}. Mend or remove it, and sign in again with \`errand login\`.`
  }
}

/** Nobody holds the lock for longer than one request to a server takes. */
const patience = Schedule.intersect(Schedule.spaced("50 millis"), Schedule.recurs(600))

/** As the XDG Base Directory Specification has it: a relative path does not count. */
const directoryOf = Config.string("XDG_CONFIG_HOME").pipe(
  Config.withDefault(""),
  Effect.orDie,
  Effect.map((home) => join(isAbsolute(home) ? home : join(homedir(), ".config"), "errand"))
)

const isMissing = (error: PlatformError) => error._tag === "SystemError" && error.reason === "NotFound"

export const make = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const reactivity = yield* Reactivity.make
  const directory = yield* directoryOf
  const path = join(directory, "session.json")

  const unusable = ({ message }: Error) => new SessionFileUnusable({ path, detail: message })
  // What the decoder says would quote the tokens.
  const unreadable = new SessionFileUnusable({ path, detail: "it is not what `errand login` wrote" })

  const read = files.readFileString(path).pipe(
    Effect.catchIf(isMissing, () => Effect.succeed(`{"sessions":{}}`)),
    Effect.mapError(unusable),
    Effect.flatMap((text) => Effect.mapError(decode(text), () => unreadable)),
    Effect.map(({ sessions }) => sessions)
  )

  const write = (sessions: typeof Sessions.Type) =>
    Effect.orDie(encode({ sessions })).pipe(
      Effect.flatMap((text) => replaceKept(path, text)),
      Effect.provideService(FileSystem.FileSystem, files),
      Effect.mapError(unusable),
      Effect.asVoid
    )

  /** Until the scope closes, however the process ends. SQLite is loaded by who needs the lock. */
  const locked: Effect.Effect<void, SessionFileUnusable, Scope.Scope> = Effect.gen(function* () {
    yield* files.makeDirectory(directory, { recursive: true, mode: 0o700 })
    const { lock } = yield* Effect.promise(() => import("../../layers/DataDirLock.ts"))
    yield* Effect.provideService(lock(directory, patience), Reactivity.Reactivity, reactivity)
  }).pipe(Effect.mapError(unusable))

  return {
    find: (server: string) => Effect.map(read, Record.get(server)),
    /** Only within `alone`. */
    put: (server: string, session: SavedSession) =>
      Effect.flatMap(read, (sessions) => write({ ...sessions, [server]: session })),
    /** Only within `alone`. */
    remove: (server: string) => Effect.flatMap(read, (sessions) => write(Record.remove(sessions, server))),
    /** Nobody else changes the file meanwhile, in this process or another. */
    alone: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.scoped(Effect.zipRight(locked, effect))
  }
})

/** For the first time, and after every renewal. */
export const savedSession = (
  answer: {
    readonly deviceId: string
    readonly accessToken: string
    readonly expiresInSeconds: number
    readonly refreshToken: string
  },
  now: number
) =>
  Schema.decodeSync(SavedSession)({
    deviceId: answer.deviceId,
    accessToken: answer.accessToken,
    accessTokenEndsAt: now + answer.expiresInSeconds * 1_000,
    refreshToken: answer.refreshToken
  })
