import { expect, layer } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import { collect, layOut, snapshot } from "../../src/agent/workspace.ts"
import { GitStore } from "../../src/services/GitStore.ts"
import { CommitId } from "../../src/services/Ids.ts"
import type { CommandResult } from "../../src/services/Sandbox.ts"
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

const result = (part: Partial<CommandResult>): CommandResult => ({
  exitCode: 0,
  timedOut: false,
  silent: false,
  output: "",
  bytes: 0,
  durationMs: 1,
  ...part
})

/** The paths that differ from the base, with a letter for how. */
const changes = (place: Effect.Effect.Success<ReturnType<typeof workOn>>, head: CommitId) =>
  Effect.gen(function* () {
    const store = yield* GitStore
    const { files } = yield* store.diff(place.key, place.base, head)
    return files.map(({ path, status }) => `${status[0]} ${path}`).toSorted()
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

  it.scoped("keeps to .gitignore, and to what the agent excludes for itself", () =>
    Effect.gen(function* () {
      const place = yield* workplace({ ...someFiles, ".gitignore": "node_modules\n*.log\n" })
      yield* sh(place, "mkdir -p node_modules/x; echo 1 > node_modules/x/y; echo 1 > a.log; echo private > mine")
      yield* sh(place, "echo mine >> .git/info/exclude")
      expect(yield* snapshot(place.handle, { parent: place.base })).toEqual(Option.none())
    })
  )

  it.scoped("takes the work up at a checkpoint, as changes to the base that are not committed yet", () =>
    Effect.gen(function* () {
      const first = yield* workplace(someFiles)
      yield* sh(first, "echo 4 >> src/a.ts; rm readme.md; echo n > 'new file'; chmod +x src/b.ts; ln -s src/a.ts link")
      const { commit } = Option.getOrThrow(yield* checkpoint(first, { parent: first.base }))
      const second = yield* workOn(first, commit)
      expect(yield* sh(second, "cat src/a.ts 'new file'; readlink link; test -x src/b.ts && ls")).toBe(
        "1\n2\n3\n4\nn\nsrc/a.ts\nlink\nnew file\nrun.sh\nsrc"
      )
      expect(yield* sh(second, "git status --porcelain; git rev-parse HEAD; git branch --show-current")).toBe(
        ` D readme.md\n M src/a.ts\n M src/b.ts\n?? link\n?? "new file"\n${first.base}\n${branch}`
      )
      expect(yield* snapshot(second.handle, { parent: commit })).toEqual(Option.none())
    })
  )

  it.scoped("begins in an empty repository, and goes on there", () =>
    Effect.gen(function* () {
      const place = yield* workplace(null)
      expect(place.base).toBe(null)
      expect(yield* snapshot(place.handle, { parent: null })).toEqual(Option.none())
      yield* sh(place, "mkdir a; echo 1 > a/b")
      const taken = Option.getOrThrow(yield* checkpoint(place, { parent: null }))
      expect(taken).toMatchObject({ files: 1, additions: 1, deletions: 0 })
      const again = yield* workOn(place, taken.commit)
      expect(yield* sh(again, "git status --porcelain --branch; cat a/b")).toBe(
        `## No commits yet on ${branch}\n?? a/\n1`
      )
      yield* sh(again, "rm -r a")
      expect(Option.getOrThrow(yield* snapshot(again.handle, { parent: taken.commit }))).toMatchObject({ deletions: 1 })
    })
  )

  it.scoped("works on repositories of the newer hash", () =>
    Effect.gen(function* () {
      const place = yield* Effect.flatMap(remoteWith(someFiles, "sha256"), workOn)
      expect(place.base).toHaveLength(64)
      yield* sh(place, "echo 4 >> src/a.ts")
      const { commit } = Option.getOrThrow(yield* checkpoint(place, { parent: place.base }))
      expect(yield* changes(place, commit)).toEqual(["m src/a.ts"])
      expect(yield* sh(yield* workOn(place, commit), "git status --porcelain")).toBe(" M src/a.ts")
    })
  )

  // Seen to fail with checkpoints made in the repository of the agent.
  it.scoped("does not care what the agent does with its own history", () =>
    Effect.gen(function* () {
      const place = yield* workplace(someFiles)
      const saves = [
        "echo x > x; git add -A; git commit -qm 'one'; git branch -m other",
        "git checkout -q --detach HEAD~1; echo y > y",
        "git checkout -qb side; echo z > z; git add -A; git commit -qm side; git merge -q --no-edit other",
        "git checkout -q --orphan fresh; git commit -qm again; git reflog expire --expire=now --all; git gc -q --prune=now",
        "git update-ref -d HEAD; rm .git/index; echo w > w"
      ]
      let parent = place.base
      for (const script of saves) {
        yield* sh(place, script)
        const taken = yield* checkpoint(place, { parent, expected: parent === place.base ? null : parent })
        if (Option.isSome(taken)) parent = taken.value.commit
      }
      expect(yield* changes(place, CommitId.make(parent ?? ""))).toEqual(["a w", "a x", "a y", "a z"])
    })
  )

  // Seen to fail with nothing mended.
  it.scoped("survives the loss of .git, whole or in part", () =>
    Effect.gen(function* () {
      const place = yield* workplace(someFiles)
      let parent = place.base
      const damages = [
        "rm -rf .git",
        "rm -rf .git; git init -q; git add -A; git commit -qm fresh",
        "rm -rf .git; echo 'gitdir: /nonexistent' > .git",
        "rm -rf .git; ln -s /nonexistent .git",
        "mv .git ../elsewhere; echo gitdir: $(cd ..; pwd)/elsewhere > .git",
        "rm -rf .git/errand",
        "rm -rf .git/objects",
        "rm -rf .git/errand/objects; mkdir .git/errand/objects",
        "head -c 100 /dev/urandom > .git/errand/index",
        "touch .git/errand/index.lock .git/index.lock",
        ": > .git/errand/parent",
        ": > .git/HEAD",
        "rm .git/errand/index; mkfifo .git/errand/index",
        "mkfifo .git/errand/complaint.new; mv .git/errand/complaint.new .git/errand/complaint",
        "rm .git/errand/outgoing; mkfifo .git/errand/outgoing",
        "ln -sf ../../readme.md .git/errand/outgoing",
        "chmod 500 .git/errand .git/errand/objects",
        "chmod 000 .git ."
      ]
      for (const [number, damage] of damages.entries()) {
        yield* sh(place, `echo ${number} > file${number}; ${damage}`)
        const expected = parent === place.base ? null : parent
        const taken = Option.getOrThrow(yield* checkpoint(place, { parent, expected }))
        expect([damage, taken.files]).toEqual([damage, 1])
        parent = taken.commit
      }
      expect(yield* sh(place, "git status >/dev/null 2>&1 || echo still broken")).toBe("still broken")
    })
  )

  // Seen to fail with git's own configuration read there.
  it.scoped("runs nothing that the agent has set up, and is not stopped by it", () =>
    Effect.gen(function* () {
      const place = yield* workplace({ ...someFiles, ".gitattributes": "*.ts filter=evil\n" })
      yield* sh(
        place,
        `hook=$PWD/.git/hooks; for name in pre-commit post-commit post-index-change reference-transaction; do
           printf '#!/bin/sh\ntouch %s/../ran-$0\n' "$PWD" > $hook/$name; chmod +x $hook/$name; done
         git config core.fsmonitor "touch $PWD/../ran-fsmonitor"
         git config filter.evil.clean "touch $PWD/../ran-filter; cat"
         git config --global core.hooksPath $hook; git config --global filter.evil.clean 'exit 1'
         git config --global filter.evil.required true
         git config --global commit.gpgSign true`
      )
      yield* sh(place, "echo 4 >> src/a.ts")
      const { commit } = Option.getOrThrow(yield* checkpoint(place, { parent: place.base }))
      expect(yield* changes(place, commit)).toEqual(["m src/a.ts"])
      yield* sh(place, "echo '[broken' > .git/config; echo '[broken' > ~/.gitconfig; echo 5 >> src/a.ts")
      const next = yield* checkpoint(place, { parent: commit, expected: commit })
      expect(Option.getOrThrow(next).files).toBe(1)
      expect(yield* sh(place, "ls ..")).toBe("home\nroot\ntmp")
    })
  )

  it.scoped("takes repositories inside of the work tree as plain files", () =>
    Effect.gen(function* () {
      const place = yield* workplace(someFiles)
      yield* sh(
        place,
        `new() { mkdir -p "$1"; (cd "$1"; git init -q; echo 1 > file; test -z "$2" || { git add -A; git commit -qm x; }); }
         git config --global user.name a; git config --global user.email a@b.c
         new unborn; new made yes; new made/inside yes; new made/inside/deeper; new 'odd
name' yes; new vendor/lib yes; mkdir bare; (cd bare; git init -q)`
      )
      const { commit } = Option.getOrThrow(yield* checkpoint(place, { parent: place.base }))
      const expected = [
        "made/file",
        "made/inside/deeper/file",
        "made/inside/file",
        "odd\nname/file",
        "unborn/file",
        "vendor/lib/file"
      ]
      expect(yield* changes(place, commit)).toEqual(expected.map((path) => `a ${path}`))
      expect(yield* snapshot(place.handle, { parent: commit })).toEqual(Option.none())
      yield* sh(place, "echo 2 >> vendor/lib/file; echo 2 > vendor/lib/more; rm -r made/inside")
      const next = Option.getOrThrow(yield* checkpoint(place, { parent: commit, expected: commit }))
      expect(next).toMatchObject({ files: 4, additions: 2, deletions: 2 })
      const again = yield* workOn(place, next.commit)
      expect(yield* sh(again, "cat vendor/lib/file vendor/lib/more")).toBe("1\n2\n2")
    })
  )

  it.scoped("leaves submodules what they are", () =>
    Effect.gen(function* () {
      const elsewhere = "1234567890123456789012345678901234567890"
      const place = yield* workplace({
        ".gitmodules": '[submodule "lib"]\n\tpath = lib\n\turl = ../lib.git\n',
        lib: { mode: "160000", data: elsewhere },
        file: "1\n"
      })
      expect(yield* snapshot(place.handle, { parent: place.base })).toEqual(Option.none())
      yield* sh(place, "echo 2 >> file")
      const { commit } = Option.getOrThrow(yield* checkpoint(place, { parent: place.base }))
      expect(yield* changes(place, commit)).toEqual(["m file"])
      yield* sh(
        place,
        `git config --file .gitmodules submodule.more.path more; git config --file .gitmodules submodule.more.url x
         mkdir more; cd more; git init -q; git -c user.name=a -c user.email=a commit -q --allow-empty -m first`
      )
      const next = Option.getOrThrow(yield* checkpoint(place, { parent: commit, expected: commit }))
      expect(yield* changes(place, next.commit)).toEqual(["a more", "m .gitmodules", "m file"])
    })
  )

  it.scoped("takes what it can of files that git refuses", () =>
    Effect.gen(function* () {
      const place = yield* workplace(someFiles)
      yield* sh(
        place,
        `mkfifo pipe; mkdir -p .GIT 'git~1' CON; echo 1 > .GIT/config; echo 1 > 'git~1/config'; echo 1 > CON/aux
         printf 1 > "$(printf 'bytes\\377\\033[31m')"; printf 1 > 'line
break'; printf 1 > ' --output=x'; rm src/b.ts; mkfifo src/b.ts; echo 4 >> src/a.ts`
      )
      const { commit } = Option.getOrThrow(yield* checkpoint(place, { parent: place.base }))
      const taken = yield* changes(place, commit)
      expect(taken).toEqual(["a  --output=x", "a CON/aux", "a bytes\ufffd\u001b[31m", "a line\nbreak", "m src/a.ts"])
    })
  )

  it.scoped("says what is wrong when nothing can be saved", () =>
    Effect.gen(function* () {
      const place = yield* workplace(someFiles)
      const unknown = CommitId.make("1".repeat(40))
      const failure = yield* Effect.flip(snapshot(place.handle, { parent: unknown }))
      expect(failure).toMatchObject({ _tag: "SnapshotFailed", reason: "git" })
      const slow = { ...place.handle, run: () => Effect.succeed(result({ timedOut: true, exitCode: 124 })) }
      expect(yield* Effect.flip(snapshot(slow, { parent: null }))).toMatchObject({ reason: "timeout" })
      const full = "error: unable to create temporary file: No space left on device\nerror: Error building trees"
      const stuffed = { ...place.handle, run: () => Effect.succeed(result({ exitCode: 4, output: full })) }
      expect(yield* Effect.flip(snapshot(stuffed, { parent: null }))).toMatchObject({ reason: "no_space" })
    })
  )

  it.scoped("believes no answer that is not one", () =>
    Effect.gen(function* () {
      const handle = yield* openSandbox
      const answers = [
        "",
        "saved",
        "saved main 1 file changed",
        `saved ${"1".repeat(39)}`,
        `saved ${"1".repeat(40)} 9e99 files changed`
      ]
      for (const output of answers) {
        const liar = { ...handle, run: () => Effect.succeed(result({ output })) }
        expect(yield* Effect.flip(snapshot(liar, { parent: null }))).toMatchObject({ reason: "git" })
      }
    })
  )

  it.scoped("fails as the pack fails, and as git does", () =>
    Effect.gen(function* () {
      const { base } = yield* remoteWith(someFiles)
      const broken = Stream.concat(Stream.make(new TextEncoder().encode("PACK")), Stream.fail("cut" as const))
      const first = yield* openSandbox
      const failure = yield* Effect.flip(layOut(first, { branch, base, files: base, pack: broken }))
      expect(failure).toBe("cut")
      const second = yield* openSandbox
      const noPack = Stream.make(new TextEncoder().encode("not a pack"))
      const refusal = yield* Effect.flip(layOut(second, { branch, base, files: base, pack: noPack }))
      expect(refusal).toMatchObject({ _tag: "PipeFailed" })
      const missing = yield* collect(first, CommitId.make("1".repeat(40)), null)
      if (missing instanceof Uint8Array) throw new Error("there is no pack of a snapshot that was never taken")
      expect(yield* Effect.flip(Stream.runDrain(missing))).toMatchObject({ _tag: "PipeFailed" })
    })
  )
})
