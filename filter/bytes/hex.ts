/** Value of an ASCII hex digit, or -1. */
export function hexDigit(byte: u8): i32 {
  if (byte - 0x30 < 10) return byte - 0x30;
  const letter = <u8>((byte | 0x20) - 0x61);
  return letter < 6 ? <i32>letter + 10 : -1;
}
