import { eventsMemory, eventsSqlite } from "../support/storageLayers.ts"
import { transactionContract } from "../support/transactionContract.ts"

transactionContract("TransactionSqlite", eventsSqlite)
transactionContract("TransactionMemory", eventsMemory)
