import { begin, end, writeByte, writeCount, writeView, writeViews } from "../bytes/arena";
import { ABSENT, View, byteAt, lengthOf, literal } from "../bytes/view";
import { Reason, codeOf, titleOf } from "../decision/decision";

/**
 * An RFC 9457 problem, part by part: `beginProblem`, the detail, `endDetail`, perhaps a quota, `endProblem`. Only a detail that stands in
 * the policy may need escapes: all other strings are constants of the reason or names.
 */
const TYPE_OPEN = literal('{"type":"urn:tollgate:reason:');
const OWN_TYPE_OPEN = literal('{"type":"');
const TITLE = literal('","title":"');
const STATUS = literal('","status":');
const DETAIL = literal(',"detail":"');
const REASON = literal('","reason":"');
const QUOTA = literal('","quota":"');
const CLOSE = literal('"}\n');

// @ts-ignore: decorator
@inline
export function beginProblem(reason: Reason, status: u32): void {
  begin(512);
  writeViews(TYPE_OPEN, codeOf(reason));
  writeViews(TITLE, titleOf(reason));
  writeCount(STATUS, status);
  writeView(DETAIL);
}

/** The same with a type of the policy's, or the reason's own for ABSENT. */
export function beginTypedProblem(type: View, reason: Reason, status: u32): void {
  if (type == ABSENT) return beginProblem(reason, status);
  begin(512);
  writeView(OWN_TYPE_OPEN);
  writeEscaped(type);
  writeViews(TITLE, titleOf(reason));
  writeCount(STATUS, status);
  writeView(DETAIL);
}

// @ts-ignore: decorator
@inline
export function endDetail(reason: Reason): void {
  writeViews(REASON, codeOf(reason));
}

export function writeQuota(name: View): void {
  writeViews(QUOTA, name);
}

// @ts-ignore: decorator
@inline
export function endProblem(): View {
  writeView(CLOSE);
  return end();
}

const QUOTE: u8 = 0x22;
const BACKSLASH: u8 = 0x5c;

/** A string without control characters, as JSON has it between quotes. */
export function writeEscaped(text: View): void {
  for (let i = 0, n = lengthOf(text); i < n; i++) {
    const byte = byteAt(text, i);
    if (byte == QUOTE || byte == BACKSLASH) writeByte(BACKSLASH);
    writeByte(byte);
  }
}
