/**
 * Gits that live on and answer one question after the other: to start one costs more than most answers.
 */
import { Data, Deferred, type Duration, Effect, RcMap, type Scope } from "effect"
import { safe } from "./environment.ts"
import { type Git, GitFailed, GitStopped } from "./process.ts"

const commands = {
  /** An object's name; answered with its type, size and content. */
  objects: ["cat-file", "--batch"],
  /** Two trees, and a line that is no name; answered with their names, what differs, and that line. */
  differences: ["diff-tree", "--stdin", "-r", "-M", "-l200", "--shortstat"],
  /** Commands of a transaction; each of its steps is answered with a line. */
  refs: ["update-ref", "--stdin"]
} as const

export type Subject = keyof typeof commands

/** Gives the length of an answer once that can be told from the bytes that have come. */
export type LengthOf = (said: Buffer) => number | undefined

type Failure = GitFailed | GitStopped

/** Somebody was given up in the middle of an answer: the next bytes are his. */
class Spoiled extends Data.TaggedError("Spoiled") {}

interface Answerer {
  readonly ask: (question: string, lengthOf: LengthOf) => Effect.Effect<Buffer, Failure | Spoiled>
}

interface About {
  readonly repository: string
  readonly subject: Subject
}
const About = Data.case<About>()

/** Bytes of one answer. */
const mostBytes = 4 * 2 ** 20
/** What a tree may stand for can be more than memory holds. */
const rlimits = { memory: 1024 * 2 ** 20 }
const idleTime: Duration.DurationInput = "1 minute"

const noQuestion = { answered: () => {}, failed: (_failure: Failure) => {} }

const start = (git: Git, repository: string, subject: Subject): Effect.Effect<Answerer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const running = yield* git.open({ repository, args: [...safe, ...commands[subject]], rlimits })
    let said: Buffer = Buffer.alloc(0)
    let question = noQuestion
    let ended: Failure | undefined
    running.stdout.on("data", (piece: Buffer) => {
      said = said.length === 0 ? piece : Buffer.concat([said, piece])
      if (said.length > mostBytes) question.failed(new GitStopped({ reason: "output" }))
      else question.answered()
    })
    const end = Effect.map(Deferred.await(running.ended), (exitCode) => {
      ended = new GitFailed({ exitCode, stderr: running.stderr() })
      question.failed(ended)
    })
    yield* Effect.forkScoped(end)
    const oneAtATime = yield* Effect.makeSemaphore(1)
    let spoiled = false
    return {
      ask: (words, lengthOf) =>
        Effect.async<Buffer, Failure | Spoiled>((resume) => {
          if (ended !== undefined) return resume(Effect.fail(ended))
          if (spoiled) return resume(new Spoiled())
          const answered = () => {
            const length = lengthOf(said)
            if (length === undefined || length > said.length) return
            const answer = said.subarray(0, length)
            said = said.subarray(length)
            question = noQuestion
            resume(Effect.succeed(answer))
          }
          question = { answered, failed: (failure) => resume(Effect.fail(failure)) }
          running.stdin.write(words)
          return Effect.sync(() => {
            spoiled = true
          })
        }).pipe(oneAtATime.withPermits(1))
    }
  })

/**
 * Asks about a repository; one question at a time for each repository and subject. Who fails, or is given up in the middle
 * of an answer, is not asked again.
 */
export const makeAsk = Effect.fnUntraced(function* (git: Git, timeout: Duration.DurationInput) {
  const answerers = yield* RcMap.make({
    lookup: ({ repository, subject }: About) => start(git, repository, subject),
    idleTimeToLive: idleTime
  })
  return (
    repository: string,
    subject: Subject,
    question: string,
    lengthOf: LengthOf
  ): Effect.Effect<Buffer, Failure> => {
    const key = About({ repository, subject })
    return RcMap.get(answerers, key).pipe(
      Effect.flatMap(({ ask }) => ask(question, lengthOf)),
      Effect.onError(() => RcMap.invalidate(answerers, key)),
      Effect.scoped,
      Effect.retry({ while: (error) => error._tag === "Spoiled" }),
      Effect.catchTag("Spoiled", Effect.die),
      Effect.timeoutFail({ duration: timeout, onTimeout: () => new GitStopped({ reason: "timeout" }) })
    )
  }
})

export type Ask = Effect.Effect.Success<ReturnType<typeof makeAsk>>
