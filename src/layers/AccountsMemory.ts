/** Accounts in memory, for tests and the demo: gone with the process. */
import { Effect, HashMap, HashSet, Layer, Option, Ref } from "effect"
import { Accounts, LastOwner, type User, type UserRole } from "../services/Accounts.ts"
import { type DeviceId, Ids, type UserId } from "../services/Ids.ts"
import { checkLogin, isOver, type KnownDevice, newDevice, seenEvery, toDevice } from "./accountRules.ts"
import { hashToken, makeToken } from "./opaqueToken.ts"
import { ago, now } from "./timestamp.ts"

interface Entry {
  readonly device: KnownDevice
  readonly owner: UserId
}

interface State {
  readonly users: HashMap.HashMap<UserId, User>
  readonly entries: HashMap.HashMap<DeviceId, Entry>
  /** By the hash of the token. */
  readonly tokens: HashMap.HashMap<string, DeviceId>
  /** By host and subject. */
  readonly identities: HashMap.HashMap<string, UserId>
  /** Logins in lower case. */
  readonly removed: HashSet.HashSet<string>
}

const empty: State = {
  users: HashMap.empty(),
  entries: HashMap.empty(),
  tokens: HashMap.empty(),
  identities: HashMap.empty(),
  removed: HashSet.empty()
}

const findByLogin = ({ users }: State, login: string): Option.Option<User> =>
  Option.map(
    HashMap.findFirst(users, (user) => user.login.toLowerCase() === login.toLowerCase()),
    ([, user]) => user
  )

const ownersOf = ({ users }: State) => Array.from(HashMap.values(users)).filter(({ role }) => role === "owner")

const isOwnedBy =
  (owner: Option.Option<UserId>) =>
  (entry: Entry): boolean =>
    Option.isNone(owner) || entry.owner === owner.value

const update =
  (id: DeviceId, change: (device: KnownDevice) => KnownDevice) =>
  (state: State): State => ({
    ...state,
    entries: HashMap.modify(state.entries, id, (entry) => ({ ...entry, device: change(entry.device) }))
  })

const withDevice = (state: State, owner: UserId, device: KnownDevice, hash: string | null): State => ({
  ...state,
  entries: HashMap.set(state.entries, device.id, { device, owner }),
  tokens: hash === null ? state.tokens : HashMap.set(state.tokens, hash, device.id)
})

const withUser = (state: State, user: User): State => ({
  ...state,
  users: HashMap.set(state.users, user.id, user),
  removed: HashSet.remove(state.removed, user.login.toLowerCase())
})

const oldestFirst = (a: { createdAt: string; id: string }, b: { createdAt: string; id: string }) =>
  a.createdAt + a.id < b.createdAt + b.id ? -1 : 1

/** A server without this user has no owner. */
const isLastOwner = (state: State, user: User) =>
  user.role === "owner" && ownersOf(state).every(({ id }) => id === user.id)

export const layer = Layer.effect(
  Accounts,
  Effect.gen(function* () {
    const ids = yield* Ids
    const state = yield* Ref.make(empty)
    const newUser = (login: string, role: UserRole) =>
      Effect.zipWith(ids.user, now, (id, createdAt): User => ({ id, login, role, createdAt }))

    const findOrAdd = Effect.fnUntraced(function* (login: string) {
      const newcomer = yield* newUser(login, "member")
      return yield* Ref.modify(state, (before) => {
        const user = Option.getOrElse(findByLogin(before, login), (): User =>
          ownersOf(before).length === 0 ? { ...newcomer, role: "owner" } : newcomer
        )
        return [user, withUser(before, user)]
      })
    })

    const principal = Effect.fn("Accounts.principal")(function* (id: DeviceId) {
      const { entries, users } = yield* Ref.get(state)
      const entry = HashMap.get(entries, id)
      const user = Option.flatMap(entry, ({ owner }) => HashMap.get(users, owner))
      if (Option.isNone(entry) || Option.isNone(user) || (yield* isOver(entry.value.device))) return Option.none()
      const { device } = entry.value
      const seenAt = yield* now
      if (device.lastSeenAt === null || device.lastSeenAt <= (yield* ago(seenEvery))) {
        yield* Ref.update(
          state,
          update(id, (current) => ({ ...current, lastSeenAt: seenAt }))
        )
      }
      return Option.some({ user: user.value, deviceId: id, scopes: device.scopes })
    })

    const byHash = Effect.fnUntraced(function* (hash: Option.Option<string>) {
      const { tokens } = yield* Ref.get(state)
      const id = Option.flatMap(hash, (known) => HashMap.get(tokens, known))
      return Option.isNone(id) ? Option.none() : yield* principal(id.value)
    })

    const addSession = Effect.fnUntraced(function* (owner: UserId, name: string, hash: string | null) {
      const device = yield* newDevice(yield* ids.device, { kind: "session", name, scopes: ["read", "write"] })
      yield* Ref.update(state, (before) => withDevice(before, owner, device, hash))
      return toDevice(device)
    })

    return Accounts.of({
      authenticate: Effect.fn("Accounts.authenticate")((token) => byHash(hashToken("pat", token))),

      createToken: Effect.fn("Accounts.createToken")(function* (login, { name, scopes }) {
        yield* checkLogin(login)
        const { hash, token } = yield* makeToken("pat")
        const device = yield* newDevice(yield* ids.device, { kind: "token", name, scopes })
        const newcomer = yield* newUser(login, "member")
        const user = yield* Ref.modify(state, (before) => {
          const owner = Option.getOrElse(findByLogin(before, login), (): User =>
            ownersOf(before).length === 0 ? { ...newcomer, role: "owner" } : newcomer
          )
          return [owner, withDevice(withUser(before, owner), owner.id, device, hash)]
        })
        return { user, device: toDevice(device), token }
      }),

      openSession: (user, name) => addSession(user, name, null),

      openBrowserSession: Effect.fn("Accounts.openBrowserSession")(function* (user, name) {
        const { hash, token } = yield* makeToken("web")
        return { device: yield* addSession(user, name, hash), cookie: token }
      }),

      authenticateBrowser: (cookie) => byHash(hashToken("web", cookie)),

      principal,

      devices: (owner) =>
        Effect.map(Ref.get(state), ({ entries, users }) =>
          Array.from(HashMap.values(entries))
            .filter(isOwnedBy(owner))
            .flatMap((entry) =>
              Option.toArray(HashMap.get(users, entry.owner)).map(({ login }) => ({ ...toDevice(entry.device), login }))
            )
            .toSorted(oldestFirst)
        ),

      revoke: Effect.fn("Accounts.revoke")(function* (owner, id) {
        const revokedAt = yield* now
        return yield* Ref.modify(state, (before) =>
          Option.exists(HashMap.get(before.entries, id), isOwnedBy(owner))
            ? [true, update(id, (device) => ({ ...device, revokedAt: device.revokedAt ?? revokedAt }))(before)]
            : [false, before]
        )
      }),

      user: (id) => Effect.map(Ref.get(state), ({ users }) => HashMap.get(users, id)),

      userByLogin: (login) => Effect.map(Ref.get(state), (current) => findByLogin(current, login)),

      ensure: Effect.fn("Accounts.ensure")((login) => Effect.zipRight(checkLogin(login), findOrAdd(login))),

      users: Effect.map(Ref.get(state), ({ users }) => Array.from(HashMap.values(users)).toSorted(oldestFirst)),

      invite: Effect.fn("Accounts.invite")(function* (login, role) {
        yield* checkLogin(login)
        const newcomer = yield* newUser(login, role)
        return yield* Effect.flatten(
          Ref.modify(state, (before): [Effect.Effect<User, LastOwner>, State] => {
            const user = Option.match(findByLogin(before, login), {
              onNone: () => newcomer,
              onSome: (known) => ({ ...known, role })
            })
            const known = HashMap.get(before.users, user.id)
            return role !== "owner" && Option.exists(known, (one) => isLastOwner(before, one))
              ? [new LastOwner(), before]
              : [Effect.succeed(user), withUser(before, user)]
          })
        )
      }),

      remove: Effect.fn("Accounts.remove")((id) =>
        Effect.flatten(
          Ref.modify(state, (before): [Effect.Effect<boolean, LastOwner>, State] => {
            const user = HashMap.get(before.users, id)
            if (Option.isNone(user)) return [Effect.succeed(false), before]
            if (isLastOwner(before, user.value)) return [new LastOwner(), before]
            return [
              Effect.succeed(true),
              {
                ...before,
                users: HashMap.remove(before.users, id),
                removed: HashSet.add(before.removed, user.value.login.toLowerCase()),
                entries: HashMap.filter(before.entries, ({ owner }) => owner !== id)
              }
            ]
          })
        )
      ),

      arrive: Effect.fn("Accounts.arrive")(function* ({ host, login, subject }, admit) {
        const newcomer = yield* newUser(
          login,
          Option.getOrElse(admit, () => "member" as const)
        )
        return yield* Ref.modify(state, (before): [Option.Option<User>, State] => {
          const key = `${host} ${subject}`
          const known = Option.flatMap(HashMap.get(before.identities, key), (id) => HashMap.get(before.users, id))
          if (Option.isSome(known)) return [known, before]
          const named = findByLogin(before, login)
          if (HashSet.has(before.removed, login.toLowerCase())) return [Option.none(), before]
          const isTaken = Option.exists(named, ({ id }) =>
            Array.from(before.identities).some(([other, user]) => user === id && other.startsWith(`${host} `))
          )
          const user = isTaken ? Option.none() : Option.orElse(named, () => Option.as(admit, newcomer))
          return Option.isNone(user)
            ? [user, before]
            : [
                user,
                {
                  ...withUser(before, user.value),
                  identities: HashMap.set(before.identities, key, user.value.id)
                }
              ]
        })
      })
    })
  })
)
