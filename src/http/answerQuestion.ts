/**
 * Answering a question: who comes first wins.
 */
import { Either, Option } from "effect"
import type { TaskId } from "../services/Ids.ts"
import type { Task } from "../services/Task.ts"
import { TaskChange } from "../services/TaskChange.ts"
import type { Decide } from "../services/TaskCommands.ts"
import type { Answer } from "../services/TaskEvent.ts"
import type { Question } from "../services/TaskRepo.ts"
import { Problem } from "./api/Problem.ts"
import type { NewAnswer } from "./api/requests.ts"
import { notFound } from "./translate.ts"

const closed = ({ status, answer }: Question) =>
  Problem.of(
    "question_closed",
    `This question is ${status}; the answer that holds is in \`answer\`.`,
    answer === null ? {} : { answer }
  )

const invalid = (path: string, message: string) =>
  Problem.of("invalid_request", `${path} ${message}.`, { errors: [{ path, message }] })

/** The answer as it is stored, when this question can take it. */
export const accept = (
  question: Option.Option<Question>,
  given: NewAnswer
): Either.Either<[Question, Answer], Problem> =>
  Option.match(question, {
    onNone: () => Either.left(notFound),
    onSome: (open) => {
      const { revision, ...answer } = given
      if (open.status !== "open") return Either.left(closed(open))
      if (revision !== open.revision) return Either.left(invalid("revision", `must be ${open.revision}`))
      if (answer.choice !== undefined && !open.choices.includes(answer.choice)) {
        return Either.left(invalid("choice", "must be one of the question's choices"))
      }
      return Either.right([open, answer])
    }
  })

/** A task that gave its sandbox back while it waited goes into the queue again; one that still runs here reads on. */
export const closing =
  (question: Question, answer: Answer, running: ReadonlyArray<TaskId>): Decide<never> =>
  (task: Task) => {
    const change = TaskChange.QuestionClosed({
      questionId: question.id,
      revision: question.revision + 1,
      outcome: "answered",
      answer
    })
    const resumes = task.status === "waiting" && !running.includes(task.id)
    return Either.right(resumes ? [change, TaskChange.Queued({ reason: "answer" })] : [change])
  }
