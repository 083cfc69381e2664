import { endsWith, equals, indexOf, startsWith, view } from "../../../filter/bytes/view";

const SIZE = 64;
const one: usize = heap.alloc(SIZE);
const two: usize = heap.alloc(SIZE);

/** The same bytes in both places, none of them 0 or 0xff. */
function fill(): void {
  for (let i = 0; i < SIZE; i++) {
    store<u8>(one + i, <u8>(i * 3 + 1));
    store<u8>(two + i, <u8>(i * 3 + 1));
  }
}

describe("views", () => {
  it("are equal when every byte is, at every length", () => {
    fill();
    for (let length = 0; length < SIZE; length++) {
      expect(equals(view(one, length), view(two, length))).toBe(true, "length " + length.toString());
      expect(equals(view(one, length), view(two, length + 1))).toBe(false, "lengths beside " + length.toString());
      for (let at = 0; at < length; at++) {
        store<u8>(two + at, load<u8>(two + at) ^ 0x80);
        expect(equals(view(one, length), view(two, length))).toBe(
          false,
          "byte " + at.toString() + " of " + length.toString(),
        );
        store<u8>(two + at, load<u8>(two + at) ^ 0x80);
      }
    }
  });

  it("begin and end with their parts", () => {
    fill();
    for (let length = 0; length < 40; length++) {
      expect(startsWith(view(one, 40), view(two, length))).toBe(true);
      expect(endsWith(view(one, 40), view(two + 40 - length, length))).toBe(true);
      if (length > 0) expect(startsWith(view(one, 40), view(two + 1, length))).toBe(false);
    }
    expect(startsWith(view(one, 3), view(two, 4))).toBe(false);
    expect(endsWith(view(one, 3), view(two, 4))).toBe(false);
  });

  it("find the first of a byte from any place", () => {
    for (let length = 0; length < 40; length++) {
      for (let at = 0; at < length; at++) {
        // Beside the byte stand those that differ from it by one bit or by one.
        memory.fill(one, 0x3e, SIZE);
        for (let i = 0; i < at; i++) store<u8>(one + i, i % 3 == 0 ? 0x3e : i % 3 == 1 ? 0xbf : 0x40);
        store<u8>(one + at, 0x3f);
        store<u8>(one + at + 1, 0x3f);
        for (let from = 0; from <= at; from++) expect(indexOf(view(one, length), 0x3f, from)).toBe(at);
        expect(indexOf(view(one, at), 0x3f)).toBe(-1);
      }
    }
  });
});
