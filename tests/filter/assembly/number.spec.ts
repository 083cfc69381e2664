import { lengthOf, literal, pointerOf } from "../../../filter/bytes/view";
import { INVALID_INTEGER, isUtf8, readInteger } from "../../../filter/config/scalar";

function read(text: string): i64 {
  const v = literal(text);
  return readInteger(pointerOf(v), pointerOf(v) + lengthOf(v));
}

describe("numbers", () => {
  it("reads whole numbers in every notation of JSON", () => {
    expect(read("0")).toBe(0);
    expect(read("-0")).toBe(0);
    expect(read("1e6")).toBe(1000000);
    expect(read("1.5e1")).toBe(15);
    expect(read("1.7672256e+09")).toBe(1767225600);
    expect(read("10000E-4")).toBe(1);
    expect(read("3.000")).toBe(3);
    expect(read("-12")).toBe(-12);
    expect(read("9007199254740992")).toBe(9007199254740992);
    expect(read("9.007199254740992e+15")).toBe(9007199254740992);
  });

  it("refuses what is not whole, not exact or not JSON", () => {
    const bad: string[] = [
      "9007199254740993",
      "1e16",
      "1.5",
      "1e-1",
      "01",
      "+1",
      "-",
      "",
      ".5",
      "1.",
      "1e",
      "1e+",
      "99999999999999999999",
      "1e999999999999",
    ];
    for (let i = 0; i < bad.length; i++) expect(read(bad[i])).toBe(INVALID_INTEGER, bad[i]);
  });
});

describe("UTF-8", () => {
  it("takes text of one to four bytes a character", () => {
    expect(isUtf8(literal("aé€😀"))).toBe(true);
  });
});
