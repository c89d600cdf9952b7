import { eventBusContract } from "../support/eventBusContract.ts"
import { eventsMemory, eventsSqlite } from "../support/storageLayers.ts"

eventBusContract("EventBusSqlite", eventsSqlite)
eventBusContract("EventBusMemory", eventsMemory)
