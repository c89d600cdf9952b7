/**
 * Which addresses are of the public internet, so that the name of a repository's host leads to no machine of the
 * operator's own network.
 */
import { BlockList, isIP } from "node:net"
import { networkInterfaces } from "node:os"

/** RFC 6890 and its updates, multicast, and the metadata addresses of clouds that stand outside of them. */
const special4: ReadonlyArray<readonly [string, number]> = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["168.63.129.16", 32],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3]
]

/** Parts of 2000::/3, the only global block, that lead elsewhere: protocol assignments, documentation, 6to4. */
const special6: ReadonlyArray<readonly [string, number]> = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20]
]

const list = (nets: ReadonlyArray<readonly [string, number]>, family: "ipv4" | "ipv6") => {
  const blocks = new BlockList()
  for (const [net, prefix] of nets) blocks.addSubnet(net, prefix, family)
  return blocks
}

const makeLists = () => ({
  blocked4: list(special4, "ipv4"),
  blocked6: list(special6, "ipv6"),
  global6: list([["2000::", 3]], "ipv6")
})

let made: ReturnType<typeof makeLists> | undefined
const lists = () => (made ??= makeLists())

const isOwn = (address: string) =>
  Object.values(networkInterfaces()).some((own) => own?.some((entry) => entry.address === address))

/** True for an address of the public internet that is not one of this machine. */
export const isPublicAddress = (address: string): boolean => {
  switch (isIP(address)) {
    case 4:
      return !lists().blocked4.check(address, "ipv4") && !isOwn(address)
    case 6:
      return lists().global6.check(address, "ipv6") && !lists().blocked6.check(address, "ipv6") && !isOwn(address)
    default:
      return false
  }
}
