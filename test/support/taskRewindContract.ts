/** What every TaskRepo must do with lines of work. */
import { assert, layer } from "@effect/vitest"
import { Effect, type Layer, Option } from "effect"
import type { CommitId, TaskId } from "../../src/services/Ids.ts"
import { TaskChange } from "../../src/services/TaskChange.ts"
import { TaskRepo } from "../../src/services/TaskRepo.ts"
import { pagesOf } from "./pagesOf.ts"
import { commit, running, say, start, these } from "./someTasks.ts"
import type { TaskServices } from "./storageLayers.ts"

const save = (digit: string) =>
  TaskChange.CheckpointSaved({ commit: commit(digit), files: 1, additions: 1, deletions: 0 })

const [pause, queue] = [TaskChange.Paused({ reason: "budget_reached" }), TaskChange.Queued({ reason: "rewind" })]

const wordsOf = (messages: ReadonlyArray<{ readonly content: ReadonlyArray<object> }>) =>
  messages.map(({ content }) => content.map((block) => ("text" in block ? String(block.text) : "")).join())

const mark = ({ superseded }: { readonly superseded: boolean }, words: string) => (superseded ? `-${words}` : words)

/** The conversation, then all messages and all checkpoints, oldest first, with a minus before what is superseded. */
const told = Effect.fnUntraced(function* (id: TaskId) {
  const repo = yield* TaskRepo
  const messages = (yield* pagesOf(2, (page) => repo.messages(id, page))).flat()
  const checkpoints = (yield* pagesOf(2, (page) => repo.checkpoints(id, page))).flat().toReversed()
  const words = wordsOf(messages)
  return [
    wordsOf(yield* repo.conversation(id)).join(" "),
    messages.map((message, index) => mark(message, words[index] ?? "")).join(" "),
    checkpoints.map((checkpoint) => mark(checkpoint, checkpoint.commit.slice(0, 1))).join(" ")
  ]
})

/** Takes a task back as a client would, and lets its next run begin. */
const rewind = Effect.fnUntraced(function* (id: TaskId, to: CommitId) {
  const repo = yield* TaskRepo
  const { runNumber } = yield* repo.get(id)
  const deliveredCommit = Option.match(yield* repo.checkpoint(id, to), {
    onNone: () => null,
    onSome: ({ deliveredCommit }) => deliveredCommit
  })
  yield* repo.change(id, these(pause, TaskChange.Rewound({ checkpoint: to, deliveredCommit }), queue))
  return (yield* repo.change(id, these(start(runNumber + 1)))).task
})

export const taskRewindContract = <E>(name: string, adapter: Layer.Layer<TaskServices, E>) =>
  layer(adapter)(`${name}, rewinding`, (it) => {
    it.effect("goes on from a checkpoint as if nothing had come after it, and forgets nothing", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const { id } = yield* running()
        yield* repo.change(id, these(say("a"), save("1")))
        yield* repo.change(id, these(say("b"), save("2"), save("3")))
        yield* repo.change(id, these(say("c")))
        assert.deepStrictEqual(yield* told(id), ["a b c", "a b c", "1 2 3"])

        const task = yield* rewind(id, commit("1"))
        assert.deepInclude(task, { line: 2, headCommit: commit("1"), status: "running" })
        assert.deepStrictEqual(yield* told(id), ["a", "a -b -c", "1 -2 -3"])

        yield* repo.change(id, these(say("d"), save("4")))
        yield* repo.change(id, these(say("e"), save("5")))
        assert.deepStrictEqual(yield* told(id), ["a d e", "a -b -c d e", "1 -2 -3 4 5"])

        yield* rewind(id, commit("4"))
        yield* repo.change(id, these(say("f")))
        assert.deepStrictEqual(yield* told(id), ["a d f", "a -b -c d -e f", "1 -2 -3 4 -5"])
      })
    )

    it.effect("goes back to what an earlier rewind left behind", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const { id } = yield* running()
        yield* repo.change(id, these(say("a"), save("1"), say("b"), save("2")))
        yield* rewind(id, commit("1"))
        yield* repo.change(id, these(save("3"), say("c")))
        yield* rewind(id, commit("2"))
        yield* repo.change(id, these(say("d")))
        assert.deepStrictEqual(yield* told(id), ["a b d", "a b -c d", "1 2 -3"])
        // Saved before anything was said on its line.
        yield* rewind(id, commit("3"))
        assert.deepStrictEqual(yield* told(id), ["a", "a -b -c -d", "1 -2 3"])
      })
    )

    it.effect("begins again where the task began, and knows a summary by its line", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const { id } = yield* running()
        const summary = { ...say("sum", "user"), startsOver: true }
        yield* repo.change(id, these(say("a"), save("1"), summary, say("b"), save("2")))
        assert.deepStrictEqual((yield* told(id))[0], "sum b")
        yield* rewind(id, commit("1"))
        assert.deepStrictEqual((yield* told(id))[0], "a")
        yield* rewind(id, commit("2"))
        assert.deepStrictEqual((yield* told(id))[0], "sum b")
        yield* rewind(id, commit("9"))
        assert.deepStrictEqual(yield* told(id), ["", "-a -sum -b", "-1 -2"])
        yield* repo.change(id, these(say("c"), save("3")))
        assert.deepStrictEqual(yield* told(id), ["c", "-a -sum -b c", "-1 -2 3"])
      })
    )

    it.effect("knows what had been delivered when a checkpoint was saved", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const { id } = yield* running()
        yield* repo.change(id, these(save("1"), TaskChange.BranchPushed({ branch: "errand/x", commit: commit("d") })))
        yield* repo.change(id, these(save("2"), TaskChange.BranchPushed({ branch: "errand/x", commit: commit("e") })))
        const delivered = Effect.map(
          Effect.forEach(["1", "2", "7"], (digit) => repo.checkpoint(id, commit(digit))),
          (found) => found.map((checkpoint) => Option.getOrNull(Option.map(checkpoint, (it) => it.deliveredCommit)))
        )
        assert.deepStrictEqual(yield* delivered, [null, commit("d"), null])
        assert.isTrue(Option.isNone(yield* repo.checkpoint(id, commit("7"))))
        const back = yield* rewind(id, commit("2"))
        assert.deepInclude(back, { pushedCommit: commit("e"), deliveredCommit: commit("d") })
        assert.deepInclude(yield* repo.get(id), back)
      })
    )

    it.effect("keeps the lines of one task apart from those of another", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const [one, two] = [yield* running(), yield* running()]
        for (const { id } of [one, two]) yield* repo.change(id, these(say("a"), save("1"), say("b")))
        yield* rewind(one.id, commit("1"))
        assert.deepStrictEqual(yield* told(one.id), ["a", "a -b", "1"])
        assert.deepStrictEqual(yield* told(two.id), ["a b", "a b", "1"])
        yield* repo.change(one.id, these(TaskChange.Cancelled()))
        yield* repo.remove(one.id)
        assert.deepStrictEqual(yield* told(two.id), ["a b", "a b", "1"])
      })
    )
  })
