/** What every sandbox must do, in containers. */
import { describeWithEngine } from "../support/engine.ts"
import { dockerSandbox } from "../support/dockerSandbox.ts"
import { realSandboxContract } from "../support/realSandboxContract.ts"
import { sandboxContract } from "../support/sandboxContract.ts"

describeWithEngine("a container", () => {
  const layer = dockerSandbox("test-contract")
  sandboxContract("SandboxDocker", layer)
  realSandboxContract("SandboxDocker", layer)
})
