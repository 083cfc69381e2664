import { ABSENT, literal } from "../../../filter/bytes/view";
import {
  addressHigh,
  addressLow,
  cutAddress,
  maskOf,
  networkHigh,
  networkLow,
  readClientAddress,
  setPeer,
} from "../../../filter/request/address";

function expectAddress(text: string, high: u64, low: u64): void {
  setPeer(literal(text));
  expect(readClientAddress(0)).toBe(true, text);
  expect(addressHigh).toBe(high, text);
  expect(addressLow).toBe(low, text);
}

function expectNone(text: string): void {
  setPeer(literal(text));
  expect(readClientAddress(0)).toBe(false, text);
}

describe("the host's address of a client", () => {
  it("is read with and without a port", () => {
    expectAddress("10.1.2.3:50000", 0, 0xffff0a010203);
    expectAddress("10.1.2.3", 0, 0xffff0a010203);
    expectAddress("[2001:db8::7]:443", 0x20010db800000000, 7);
    expectAddress("[2001:db8::7]", 0x20010db800000000, 7);
    expectAddress("2001:db8::7", 0x20010db800000000, 7);
    expectAddress("::", 0, 0);
    expectAddress("1:2:3:4:5:6:7:8", 0x0001000200030004, 0x0005000600070008);
  });

  it("is the same for an IPv4 address and its IPv4-mapped spellings", () => {
    expectAddress("[::ffff:10.1.2.3]:1", 0, 0xffff0a010203);
    expectAddress("::FFFF:a01:203", 0, 0xffff0a010203);
    // IPv4-compatible addresses are not.
    expectAddress("::10.1.2.3", 0, 0x0a010203);
  });

  it("is none where there is no address", () => {
    setPeer(ABSENT);
    expect(readClientAddress(0)).toBe(false);
    expectNone("");
    expectNone("/run/envoy.sock");
    expectNone("@abstract");
    expectNone(":");
    expectNone("::1%lo");
    expectNone("10.1.2.3:");
    expectNone("10.1.2.3:65536");
    expectNone("10.1.2.3:00000001");
    expectNone("10.1.2");
    expectNone("10.1.2.3.4");
    expectNone("10.1..3");
    expectNone("10.1.2.03");
    expectNone("[::1]1");
    expectNone("[]");
    expectNone("1:2:3:4:5:6:7:8:9");
    expectNone("1::2::3");
  });
});

describe("the network that counts as one caller", () => {
  it("is so many bits of an IPv4 address", () => {
    expectAddress("10.1.2.3", 0, 0xffff0a010203);
    cutAddress(32, 64);
    expect(networkLow).toBe(0xffff0a010203);
    cutAddress(24, 64);
    expect(networkLow).toBe(0xffff0a010200);
    cutAddress(1, 64);
    expect(networkLow).toBe(0xffff00000000);
    expect(networkHigh).toBe(0);
  });

  it("is so many bits of an IPv6 address", () => {
    expectAddress("2001:db8:1:2:3:4:5:6", 0x20010db800010002, 0x0003000400050006);
    cutAddress(32, 64);
    expect(networkHigh).toBe(0x20010db800010002);
    expect(networkLow).toBe(0);
    cutAddress(32, 128);
    expect(networkLow).toBe(0x0003000400050006);
    cutAddress(32, 120);
    expect(networkLow).toBe(0x0003000400050000);
    cutAddress(32, 48);
    expect(networkHigh).toBe(0x20010db800010000);
    cutAddress(32, 1);
    expect(networkHigh).toBe(0);
  });

  it("has a mask for any number of bits", () => {
    expect(maskOf(-3)).toBe(0);
    expect(maskOf(0)).toBe(0);
    expect(maskOf(1)).toBe(0x8000000000000000);
    expect(maskOf(63)).toBe(0xfffffffffffffffe);
    expect(maskOf(64)).toBe(u64.MAX_VALUE);
    expect(maskOf(70)).toBe(u64.MAX_VALUE);
  });
});
