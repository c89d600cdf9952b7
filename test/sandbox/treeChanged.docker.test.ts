/** Whether the work tree may have changed, as the runner in a container sees it. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import type { SandboxHandle } from "../../src/services/Sandbox.ts"
import { dockerSandbox } from "../support/dockerSandbox.ts"
import { describeWithEngine } from "../support/engine.ts"
import { bytesOf, sh, testIn } from "../support/sandboxContract.ts"

/** What is told after a script. */
const after = (handle: SandboxHandle, script: string) =>
  Effect.gen(function* () {
    const { exitCode, output } = yield* handle.run(sh(script))
    assert.strictEqual(exitCode, 0, output)
    return yield* handle.treeChanged
  })

/** Told of everything before it. */
const watched = (handle: SandboxHandle) =>
  Effect.gen(function* () {
    const tree = "mkdir -p src/deep .git/objects lib && echo a > src/deep/a && echo a > a && ln -s src link"
    assert.isTrue(yield* after(handle, tree))
    assert.isFalse(yield* after(handle, "true"))
  })

describeWithEngine("the work tree in a container", () => {
  const test = testIn(dockerSandbox("test-tree"))

  test("has not changed by what only looks at it, or by git's own work", (handle) =>
    Effect.gen(function* () {
      yield* watched(handle)
      const scripts = [
        "cat a src/deep/a; ls -R; cd src; grep -r a .",
        "echo x > /tmp/x; mkdir /tmp/y",
        "echo x > .git/x; mkdir .git/y; mv .git/x .git/y/z",
        "touch .git/index.lock; rm .git/index.lock"
      ]
      for (const script of scripts) assert.isFalse(yield* after(handle, script), script)
    }))

  test("has changed by every way of changing it, at any depth, and each is told once", (handle) =>
    Effect.gen(function* () {
      yield* watched(handle)
      const scripts = [
        "echo b > a",
        "echo b >> src/deep/a",
        "touch new",
        "rm new",
        "mv a b",
        "mv b src/deep/b",
        "chmod +x src/deep/b",
        "ln -s a src/deep/link",
        "ln src/deep/b hard",
        "mkdir -p one/two/three",
        "echo late > one/two/three/file",
        "mv one src/one",
        "echo later > src/one/two/three/file",
        "rm -r src/one",
        "truncate -s 0 src/deep/a",
        "python3 -c \"import mmap; f = open('hard', 'r+b'); m = mmap.mmap(f.fileno(), 0); m[0] = 90; m.close(); f.close()\"",
        "mkdir src/nested && git init -q src/nested && echo x > src/nested/file"
      ]
      for (const script of scripts) {
        assert.isTrue(yield* after(handle, script), script)
        assert.isFalse(yield* after(handle, "true"), `after ${script}`)
      }
    }))

  test("has changed by a file of a tool, and by what goes on in the background", (handle) =>
    Effect.gen(function* () {
      yield* watched(handle)
      yield* handle.writeFile("written", bytesOf("x"))
      assert.isTrue(yield* handle.treeChanged)
      assert.isFalse(yield* after(handle, "true"))
      const slow = yield* Effect.fork(handle.run(sh("sleep 0.3; echo x > late; sleep 30")))
      assert.isFalse(yield* after(handle, "true"))
      assert.isTrue(yield* after(handle, "sleep 0.6"))
      yield* Effect.ignore(slow.interruptAsFork(slow.id()))
    }))

  test("counts as changed when it is too large to be watched, or more happened than was told", (handle) =>
    Effect.gen(function* () {
      yield* watched(handle)
      const storm =
        "import os\nfor i in range(9000): open(f's{i}', 'w').close(); os.unlink(f's{i}')\nos.makedirs('after/storm')"
      assert.isTrue(yield* after(handle, `python3 -c "${storm}"`))
      assert.isTrue(yield* after(handle, "echo x > after/storm/file"))
      assert.isFalse(yield* after(handle, "true"))
      assert.isTrue(yield* after(handle, "for i in $(seq 5000); do echo dir$i; done | xargs mkdir"))
      assert.isTrue(yield* after(handle, "true"))
    }))
})
