import { sha256 } from "../../../filter/bytes/sha256";
import { lengthOf, literal, pointerOf } from "../../../filter/bytes/view";

function hash(message: string): string {
  const text = literal(message);
  const digest = heap.alloc(32);
  sha256(pointerOf(text), lengthOf(text), digest);
  let hex = "";
  for (let i = 0; i < 32; i++)
    hex += load<u8>(digest + i)
      .toString(16)
      .padStart(2, "0");
  return hex;
}

describe("sha256", () => {
  it("gives the NIST vector of the empty message", () => {
    expect(hash("")).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  });

  it("gives the NIST vector of one block", () => {
    expect(hash("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  });

  it("gives the NIST vector of two blocks", () => {
    expect(hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")).toBe(
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    );
  });

  it("gives the NIST vector of a million letters a", () => {
    expect(hash("a".repeat(1000000))).toBe("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  });
});
