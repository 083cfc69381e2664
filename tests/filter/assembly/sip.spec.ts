import { sip, sipHigh, useSecret } from "../../../filter/bytes/sip";

const SECRET = memory.data(16, 8);
const TEXT = memory.data(64, 8);

/** The hash of the bytes 0, 1, 2 … under the secret of the published vectors. */
function hash(length: i32): string {
  for (let i = 0; i < 16; i++) store<u8>(SECRET + i, <u8>i);
  useSecret(SECRET);
  for (let i = 0; i < length; i++) store<u8>(TEXT + i, <u8>i);
  const low = sip(TEXT, length);
  return hex(low) + hex(sipHigh);
}

function hex(word: u64): string {
  let text = "";
  for (let i = 0; i < 8; i++) text += (<u8>(word >> (8 * i))).toString(16).padStart(2, "0");
  return text;
}

/** The vectors of its authors for 128 bits. */
describe("SipHash-2-4 gives the published hash of", () => {
  it("nothing", () => {
    expect(hash(0)).toBe("a3817f04ba25a8e66df67214c7550293");
  });
  it("less than a word", () => {
    expect(hash(1)).toBe("da87c1d86b99af44347659119b22fc45");
    expect(hash(7)).toBe("a1f1ebbed8dbc153c0b84aa61ff08239");
  });
  it("whole words", () => {
    expect(hash(8)).toBe("3b62a9ba6258f5610f83e264f31497b4");
    expect(hash(16)).toBe("6ee2a4ca67b054bbfd3315bf85230577");
  });
  it("words and a part of one", () => {
    expect(hash(9)).toBe("264499060ad9baabc47f8b02bb6d71ed");
    expect(hash(15)).toBe("5493e99933b0a8117e08ec0f97cfc3d9");
    expect(hash(31)).toBe("2939b0183223fafc1723de4f52c43d35");
    expect(hash(63)).toBe("5150d1772f50834a503e069a973fbd7c");
  });
});
