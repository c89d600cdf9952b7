/** Accounts in memory, for tests and the demo: gone with the process. */
import { Effect, HashMap, Layer, Option, Ref } from "effect"
import { Accounts, type Device, type User } from "../services/Accounts.ts"
import { type DeviceId, Ids, type UserId } from "../services/Ids.ts"
import { hashAccessToken, makeAccessToken } from "./accessToken.ts"
import { checkLogin, seenEvery } from "./accountRules.ts"
import { ago, now } from "./timestamp.ts"

interface Entry {
  readonly device: Device
  readonly owner: User
}

interface State {
  readonly users: HashMap.HashMap<UserId, User>
  readonly entries: HashMap.HashMap<DeviceId, Entry>
  /** By the hash of the token. */
  readonly tokens: HashMap.HashMap<string, DeviceId>
}

const empty: State = { users: HashMap.empty(), entries: HashMap.empty(), tokens: HashMap.empty() }

const sameLogin = (login: string) => (user: User) => user.login.toLowerCase() === login.toLowerCase()

const findByLogin = (state: State, login: string): Option.Option<User> =>
  Option.map(HashMap.findFirst(state.users, sameLogin(login)), ([, user]) => user)

const isOwnedBy =
  (owner: Option.Option<UserId>) =>
  (entry: Entry): boolean =>
    Option.isNone(owner) || entry.owner.id === owner.value

const update =
  (id: DeviceId, change: (device: Device) => Device) =>
  (state: State): State => ({
    ...state,
    entries: HashMap.modify(state.entries, id, (entry) => ({ ...entry, device: change(entry.device) }))
  })

export const layer = Layer.effect(
  Accounts,
  Effect.gen(function* () {
    const ids = yield* Ids
    const state = yield* Ref.make(empty)

    return Accounts.of({
      authenticate: Effect.fn("Accounts.authenticate")(function* (token) {
        const { entries, tokens } = yield* Ref.get(state)
        const entry = hashAccessToken(token).pipe(
          Option.flatMap((hash) => HashMap.get(tokens, hash)),
          Option.flatMap((id) => HashMap.get(entries, id)),
          Option.filter(({ device }) => device.revokedAt === null)
        )
        if (Option.isNone(entry)) return Option.none()
        const { device, owner } = entry.value
        const seenAt = yield* now
        if (device.lastSeenAt === null || device.lastSeenAt <= (yield* ago(seenEvery))) {
          yield* Ref.update(
            state,
            update(device.id, (current) => ({ ...current, lastSeenAt: seenAt }))
          )
        }
        return Option.some({ user: owner, deviceId: device.id, scopes: device.scopes })
      }),

      createToken: Effect.fn("Accounts.createToken")(function* (login, { name, scopes }) {
        yield* checkLogin(login)
        const { hash, token } = yield* makeAccessToken
        const createdAt = yield* now
        const newUserId = yield* ids.user
        const device: Device = {
          id: yield* ids.device,
          name,
          kind: "token",
          scopes: Array.from(new Set(scopes)),
          createdAt,
          lastSeenAt: null,
          revokedAt: null
        }
        const owner = yield* Ref.modify(state, (before) => {
          const role = HashMap.isEmpty(before.users) ? "owner" : "member"
          const user = Option.getOrElse(findByLogin(before, login), (): User => ({
            id: newUserId,
            login,
            role,
            createdAt
          }))
          return [
            user,
            {
              users: HashMap.set(before.users, user.id, user),
              entries: HashMap.set(before.entries, device.id, { device, owner: user }),
              tokens: HashMap.set(before.tokens, hash, device.id)
            }
          ]
        })
        return { user: owner, device, token }
      }),

      devices: (owner) =>
        Effect.map(Ref.get(state), ({ entries }) =>
          Array.from(HashMap.values(entries))
            .filter(isOwnedBy(owner))
            .map((entry) => ({ ...entry.device, login: entry.owner.login }))
            .toSorted((a, b) => (a.createdAt + a.id < b.createdAt + b.id ? -1 : 1))
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

      userByLogin: (login) => Effect.map(Ref.get(state), (current) => findByLogin(current, login))
    })
  })
)
