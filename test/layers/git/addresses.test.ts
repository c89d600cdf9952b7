import { expect, it } from "@effect/vitest"
import { networkInterfaces } from "node:os"
import { isPublicAddress } from "../../../src/layers/git/addresses.ts"

it("lets through what is of the public internet", () => {
  for (const address of ["1.1.1.1", "93.184.216.34", "223.255.255.254", "2606:4700::1111", "2001:4860:4860::8888"]) {
    expect([address, isPublicAddress(address)]).toEqual([address, true])
  }
})

it("refuses every other block, every other spelling, and this machine", () => {
  const own = Object.values(networkInterfaces()).flatMap((found) => found?.map(({ address }) => address) ?? [])
  for (const address of [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:1.1.1.1",
    "::ffff:a9fe:a9fe",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:a9fe:a9fe::1",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "2852039166",
    "0x7f000001",
    "127.1",
    "localhost",
    "",
    ...own
  ]) {
    expect([address, isPublicAddress(address)]).toEqual([address, false])
  }
})
