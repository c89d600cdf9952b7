import { Layer } from "effect"
import * as AccountsMemory from "../../src/layers/AccountsMemory.ts"
import * as ForgeTokensMemory from "../../src/layers/ForgeTokensMemory.ts"
import * as IdsCounter from "../../src/layers/IdsCounter.ts"
import { forgeTokensContract } from "../support/forgeTokensContract.ts"

forgeTokensContract(
  "ForgeTokensMemory",
  Layer.merge(ForgeTokensMemory.layer, Layer.provide(AccountsMemory.layer, IdsCounter.layer))
)
