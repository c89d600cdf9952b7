/** What every TaskRepo must do. */
import type { Layer } from "effect"
import type { TaskServices } from "./storageLayers.ts"
import { taskChangesContract } from "./taskChangesContract.ts"
import { taskListsContract } from "./taskListsContract.ts"
import { taskPartsContract } from "./taskPartsContract.ts"
import { taskRewindContract } from "./taskRewindContract.ts"

export const taskRepoContract = <E>(name: string, adapter: Layer.Layer<TaskServices, E>) => {
  taskChangesContract(name, adapter)
  taskPartsContract(name, adapter)
  taskListsContract(name, adapter)
  taskRewindContract(name, adapter)
}
