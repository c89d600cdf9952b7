import { expect, layer } from "@effect/vitest"
import { Effect, Option } from "effect"
import { collect, layOut, snapshot } from "../../src/agent/workspace.ts"
import { GitStore } from "../../src/services/GitStore.ts"
import { CommitId } from "../../src/services/Ids.ts"
import {
  branch,
  checkpoint,
  openSandbox,
  remoteWith,
  sh,
  workOn,
  workplace,
  workplaceLayer
} from "../support/workplace.ts"

/** The paths that differ from the base, with a letter for how. */
const changes = (place: Effect.Effect.Success<ReturnType<typeof workOn>>, head: CommitId) =>
  Effect.gen(function* () {
    const store = yield* GitStore
    const { files } = yield* store.diff(place.key, place.base, head)
    return files.map(({ path, status }) => `${status[0]} ${path}`).sort()
  })

const someFiles = {
  "readme.md": "hello\n",
  "src/a.ts": "1\n2\n3\n",
  "src/b.ts": "b\n",
  "run.sh": { mode: "100755", data: "#!/bin/sh\n" }
}

layer(workplaceLayer, { excludeTestServices: true })("workspace", (it) => {
  it.scoped("lays out the branch with nothing changed and no remote", () =>
    Effect.gen(function* () {
      const place = yield* workplace(someFiles)
      expect(yield* sh(place, "git status --porcelain=v2 --branch | grep -v '^# branch.oid'")).toBe(
        `# branch.head ${branch}`
      )
      expect(yield* sh(place, "git rev-parse HEAD; git remote; ls -A; cat src/a.ts")).toBe(
        `${place.base}\n.git\nreadme.md\nrun.sh\nsrc\n1\n2\n3`
      )
      expect(yield* snapshot(place.handle, { parent: place.base })).toEqual(Option.none())
      expect(yield* sh(place, "git fsck --strict 2>&1; git config user.email")).toBe("errand@localhost")
    })
  )

  it.scoped("saves what changed, and leaves HEAD and index to the agent", () =>
    Effect.gen(function* () {
      const place = yield* workplace(someFiles)
      yield* sh(
        place,
        "echo 4 >> src/a.ts; rm src/b.ts; mkdir deep; echo n > deep/new; echo staged > staged; git add staged"
      )
      const before = yield* sh(place, "git status --porcelain=v1; git ls-files -s; git rev-parse HEAD")
      const taken = Option.getOrThrow(yield* checkpoint(place, { parent: place.base }))
      expect(taken).toMatchObject({ files: 4, additions: 3, deletions: 1 })
      expect(yield* sh(place, "git status --porcelain=v1; git ls-files -s; git rev-parse HEAD")).toBe(before)
      expect(yield* changes(place, taken.commit)).toEqual(["a deep/new", "a staged", "d src/b.ts", "m src/a.ts"])
      expect(yield* snapshot(place.handle, { parent: taken.commit })).toEqual(Option.none())
      yield* sh(place, "echo 5 >> src/a.ts")
      const next = Option.getOrThrow(yield* checkpoint(place, { parent: taken.commit, expected: taken.commit }))
      expect(next).toMatchObject({ files: 1, additions: 1, deletions: 0 })
    })
  )
})
