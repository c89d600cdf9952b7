import { Effect, Layer, Option } from "effect"
import * as ClaudeClientAnthropic from "../../src/layers/ClaudeClientAnthropic.ts"
import * as ClaudeClientScripted from "../../src/layers/ClaudeClientScripted.ts"
import { claudeClientContract } from "../support/claudeClientContract.ts"
import { messagesApi } from "../support/messagesApi.ts"
import { modelSettings } from "../support/settings.ts"

claudeClientContract("scripted, in memory", (script, silenceMs) =>
  ClaudeClientScripted.layerWith(script, { silenceMs })
)

claudeClientContract("Anthropic's SDK over HTTP", (script, silenceMs) =>
  Layer.unwrapScoped(
    Effect.map(messagesApi({ script }), ({ url }) =>
      Layer.provide(ClaudeClientAnthropic.layer, modelSettings({ baseUrl: Option.some(url), silenceMs }))
    )
  )
)
