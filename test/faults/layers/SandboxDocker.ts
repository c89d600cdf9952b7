/** Points around what is done in a sandbox: laying out, the tools, saving, and its end. */
import { Context, Effect, Layer, Stream } from "effect"
import * as SandboxDocker from "../../../src/layers/SandboxDocker.ts"
import { Sandbox, type SandboxHandle, SandboxLost, SandboxUnavailable } from "../../../src/services/Sandbox.ts"
import { around, point } from "../faultPoint.ts"

const lost = Effect.fail(new SandboxLost({ detail: "a fault was injected" }))
const unavailable = Effect.fail(new SandboxUnavailable({ reason: "engine", detail: "a fault was injected" }))

const watched = (handle: SandboxHandle): SandboxHandle => ({
  ...handle,
  run: (command, onOutput) =>
    around(
      command.argv.includes("Checkpoint") ? "sandbox.snapshot" : "sandbox.command",
      handle.run(command, onOutput),
      lost
    ),
  pipe: (argv, input) => {
    const name = argv.includes("pack-objects") ? "sandbox.collect" : "sandbox.layOut"
    const side = (where: string) => Stream.drain(Stream.fromEffect(point(`${name}:${where}`, lost)))
    return side("before").pipe(Stream.concat(handle.pipe(argv, input)), Stream.concat(side("after")))
  },
  readFile: (path, range) =>
    around(path.endsWith("/outgoing") ? "sandbox.collect" : "sandbox.readFile", handle.readFile(path, range), lost),
  writeFile: (path, bytes) => around("sandbox.writeFile", handle.writeFile(path, bytes), lost)
})

export const layer = Layer.map(SandboxDocker.layer, (context) => {
  const sandbox = Context.get(context, Sandbox)
  return Context.add(context, Sandbox, {
    ...sandbox,
    sweep: around("sandbox.sweep", sandbox.sweep, unavailable),
    open: (spec) =>
      Effect.gen(function* () {
        yield* Effect.addFinalizer(() => point("sandbox.close:after"))
        const handle = yield* sandbox.open(spec)
        yield* Effect.addFinalizer(() => point("sandbox.close:before"))
        return watched(handle)
      })
  })
})
