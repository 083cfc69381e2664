import { Code, decodeAnswer, encodeAnswer, Unit, type AnswerMessage, type Status } from './protocol.ts';

function changed(change: (answer: AnswerMessage, status: Status) => void): (good: Buffer) => Buffer {
  return (good) => {
    const answer = decodeAnswer(good);
    change(answer, answer.statuses[0]!);
    return encodeAnswer(answer);
  };
}

/** Malformed answers: bytes, or a change to a good answer. No unit may be spent because of one. */
export const WRONG_ANSWERS: Readonly<Record<string, Buffer | ((good: Buffer) => Buffer)>> = {
  nothing: Buffer.alloc(0),
  text: Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
  zeros: Buffer.alloc(64),
  ones: Buffer.alloc(64, 0xff),
  'half a message': (good) => good.subarray(0, good.length - 3),
  'a megabyte': (good) => Buffer.concat([good, Buffer.alloc(1 << 20, 0x7a)]),
  'OK and no status': changed((answer) => {
    answer.overallCode = Code.ok;
    answer.statuses = [];
  }),
  'OK without a current limit': changed((answer, status) => {
    answer.overallCode = status.code = Code.ok;
    delete status.limit;
  }),
  'two statuses': changed((answer, status) => void answer.statuses.push({ ...status })),
  'an unknown code': changed((answer, status) => {
    answer.overallCode = status.code = Code.unknown;
  }),
  'codes that differ': changed((answer) => {
    answer.overallCode = Code.ok;
    answer.statuses[0]!.code = Code.overLimit;
  }),
  'a limit of zero': changed((answer, status) => {
    answer.overallCode = status.code = Code.ok;
    status.limit = { requestsPerUnit: 0, unit: Unit.hour };
  }),
  'a negative remaining': changed((answer, status) => {
    answer.overallCode = status.code = Code.ok;
    status.remaining = -5n;
  }),
  'a huge remaining': changed((answer, status) => {
    answer.overallCode = status.code = Code.ok;
    status.remaining = 2n ** 63n;
  }),
  'a huge duration': changed((answer, status) => {
    answer.overallCode = status.code = Code.ok;
    status.resetSeconds = 2n ** 62n;
  }),
  'a negative duration': changed((answer, status) => {
    answer.overallCode = status.code = Code.ok;
    status.resetSeconds = -1n;
  }),
};
