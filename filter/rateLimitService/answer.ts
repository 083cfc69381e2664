import { View, lengthOf, pointerOf } from "../bytes/view";
import { MAX_CALL_COUNTERS } from "./call";

/**
 * What the rate limit service answers, in protobuf:
 *
 *   RateLimitResponse   1 overall_code  2 statuses
 *   DescriptorStatus    1 code  2 current_limit { 1 requests_per_unit  2 unit }  3 limit_remaining  4 duration_until_reset { 1 seconds }
 *
 * Statuses come in the order of the request's descriptors. The bytes come from outside, so every length is checked, and unknown
 * fields are skipped. If any part of the message does not match the request, the whole message is rejected.
 */
export const enum AnswerVerdict {
  /** The units were counted, and there were enough. */
  Granted,
  Refused,
  /** The service knows no limit for the counter: nothing was counted. */
  Unlimited,
  /** The message does not match the request or cannot be read. */
  Malformed,
}

const OK: u64 = 1;
const OVER_LIMIT: u64 = 2;
/** Larger numbers are rejected: no limit is larger. */
const MAX_NUMBER: u64 = 1 << 53;
/** Longer times are rejected: the service's longest window is a year. */
const MAX_RESET_SECONDS: i64 = 366 * 86400;

/** What the last answer says about one counter. */
@unmanaged
export class Answer {
  limit: i64;
  remaining: i64;
  /** Seconds until the window ends, rounded up by the service; 0 when the answer does not say. */
  resetSeconds: i64;
  verdict: AnswerVerdict;
  padding: u32;
}

const ANSWERS: usize = memory.data(MAX_CALL_COUNTERS * offsetof<Answer>(), 8);

/** What the last answer says about the call's counter `index`. */
export function answerAt(index: i32): Answer {
  return changetype<Answer>(ANSWERS + <usize>index * offsetof<Answer>());
}

/** Reads a protobuf message field by field. */
class Fields {
  number: u32 = 0;
  /** Of a varint field. */
  value: u64 = 0;
  /** Of a length-delimited field. */
  start: usize = 0;
  length: usize = 0;
  broken: bool = false;
  private at: usize = 0;
  private end: usize = 0;

  open(start: usize, length: usize): Fields {
    this.at = start;
    this.end = start + length;
    this.broken = false;
    return this;
  }

  next(): bool {
    if (this.at >= this.end || this.broken) return false;
    const tag = this.varint();
    this.number = tag >> 32 != 0 ? 0 : (<u32>tag) >> 3;
    this.value = 0;
    this.length = 0;
    switch ((<u32>tag) & 7) {
      case 0:
        this.value = this.varint();
        break;
      case 1:
        this.skip(8);
        break;
      case 2:
        this.skip(this.varint());
        break;
      case 5:
        this.skip(4);
        break;
      default:
        this.broken = true;
    }
    return !this.broken;
  }

  private varint(): u64 {
    let value: u64 = 0;
    for (let shift: u64 = 0; shift < 70 && this.at < this.end; shift += 7) {
      const byte = load<u8>(this.at++);
      value |= (<u64>(byte & 127)) << shift;
      if (byte < 128) return value;
    }
    this.broken = true;
    return 0;
  }

  private skip(bytes: u64): void {
    if (bytes > <u64>(this.end - this.at)) {
      this.broken = true;
      return;
    }
    this.start = this.at;
    this.length = <usize>bytes;
    this.at += <usize>bytes;
  }
}

/** One reader per nesting depth, made once, so that reading allocates nothing. */
const RESPONSE: Fields = new Fields();
const STATUS: Fields = new Fields();
const INNER: Fields = new Fields();

/** Reads the answer to a call with `count` counters; `answerAt` then gives what it says about each. */
export function readAnswer(bytes: View, count: i32): void {
  memory.fill(ANSWERS, 0, MAX_CALL_COUNTERS * offsetof<Answer>());
  const fields = RESPONSE.open(pointerOf(bytes), lengthOf(bytes));
  let overall: u64 = 0;
  let statuses = 0;
  let broken = false;
  let over = false;
  while (fields.next()) {
    if (fields.number == 1) overall = fields.value;
    else if (fields.number == 2) {
      if (statuses == count) broken = true;
      else if (readStatus(STATUS.open(fields.start, fields.length), answerAt(statuses++))) over = true;
      if (STATUS.broken) broken = true;
    }
  }
  if (fields.broken || overall != (over ? OVER_LIMIT : OK)) broken = true;
  // Some services answer without any statuses, which says nothing about any counter but is not malformed.
  if (statuses != count && statuses > 0) broken = true;
  for (let i = 0; i < count; i++) conclude(answerAt(i), broken);
}

/** A status without a limit grants nothing. */
function conclude(answer: Answer, broken: bool): void {
  if (broken) answer.verdict = AnswerVerdict.Malformed;
  else if (answer.limit == 0)
    answer.verdict = answer.verdict == AnswerVerdict.Refused ? AnswerVerdict.Malformed : AnswerVerdict.Unlimited;
}

/** True when the status says "over limit". */
function readStatus(fields: Fields, answer: Answer): bool {
  let code: u64 = 0;
  while (fields.next()) {
    if (fields.number == 1) code = fields.value;
    else if (fields.number == 2) answer.limit = readNumber(fields);
    else if (fields.number == 3) answer.remaining = bounded(fields, fields.value);
    else if (fields.number == 4) answer.resetSeconds = readNumber(fields);
  }
  if (answer.remaining > answer.limit) answer.remaining = answer.limit;
  if (answer.resetSeconds > MAX_RESET_SECONDS || (code != OK && code != OVER_LIMIT)) fields.broken = true;
  answer.verdict = code == OVER_LIMIT ? AnswerVerdict.Refused : AnswerVerdict.Granted;
  return code == OVER_LIMIT;
}

/** Field 1 of a nested message: a limit's number of requests, or a duration's seconds. */
function readNumber(outer: Fields): i64 {
  const fields = INNER.open(outer.start, outer.length);
  let number: i64 = 0;
  while (fields.next()) {
    if (fields.number == 1) number = bounded(fields, fields.value);
  }
  if (fields.broken) outer.broken = true;
  return number;
}

function bounded(fields: Fields, value: u64): i64 {
  if (value <= MAX_NUMBER) return <i64>value;
  fields.broken = true;
  return 0;
}
