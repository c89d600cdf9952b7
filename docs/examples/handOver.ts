/** Hands a task over, shows what happens, and lets somebody answer what is asked. */
import type { Errand, NewAnswer, NewTask, Question, Task, TaskEvent } from "./errand.ts"
import { followTask } from "./followTask.ts"

export const handOver = async (
  errand: Errand,
  request: NewTask,
  show: (line: string) => void,
  decide: (question: Question) => Promise<Omit<NewAnswer, "revision">>
): Promise<Task> => {
  const task = await errand.createTask(request, crypto.randomUUID())
  show(`${task.id} on ${task.branch}`)

  /** First answer wins: when somebody else was quicker, the event `question.closed` tells what they said. */
  const ask = async (questionId: string) => {
    const question = (await errand.questions()).find(({ id }) => id === questionId)
    if (question === undefined) return
    const { revision } = question
    await errand.answer(questionId, { revision, ...(await decide(question)) }, crypto.randomUUID()).catch(String)
  }

  const tell = (event: TaskEvent) => {
    switch (event.type) {
      case "message.added":
        for (const block of event.content) if (block.type === "text") show(`${event.role}: ${block.text}`)
        return
      case "tool.started":
        return show(`$ ${event.tool} ${JSON.stringify(event.input)}`)
      case "question.opened":
        show(`? ${event.title}`)
        return void ask(event.questionId)
      case "branch.pushed":
        return show(`pushed ${event.commit} to ${event.branch}`)
      case "task.paused":
        return show(`paused: ${event.reason}`)
      case "task.failed":
        return show(`failed: ${event.message}`)
    }
  }

  await followTask(
    errand,
    { id: task.id, seq: 0, status: task.status },
    {
      event: tell,
      preview: (_item, text) => show(`… ${text}`),
      snapshot: ({ status }) => show(`now ${status}`),
      live: (isLive) => show(isLive ? "live" : "reconnecting")
    }
  )
  return await errand.task(task.id)
}
