import { tasksMemory, tasksSqlite } from "../support/storageLayers.ts"
import { taskRepoContract } from "../support/taskRepoContract.ts"

taskRepoContract("TaskRepoSqlite", tasksSqlite)
taskRepoContract("TaskRepoMemory", tasksMemory)
