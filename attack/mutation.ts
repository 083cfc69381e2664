import type { Random } from '../harness/random.ts';

const BYTES = [0x00, 0x01, 0x7f, 0x80, 0xff, 0x0a, 0x12, 0x22];

/** The bytes with something flipped, cut out, put in, or said twice. */
export function mutateBytes(random: Random, bytes: Buffer): Buffer {
  let result = Buffer.from(bytes);
  for (let times = 1 + random.below(3); times > 0; times--) {
    const at = random.below(result.length + 1);
    const [before, after] = [result.subarray(0, at), result.subarray(at)];
    switch (random.below(6)) {
      case 0:
        result = Buffer.concat([before, Buffer.from([(after[0] ?? 0) ^ (1 << random.below(8))]), after.subarray(1)]);
        break;
      case 1:
        result = Buffer.concat([before, Buffer.from([random.pick(BYTES)]), after.subarray(1)]);
        break;
      case 2:
        result = Buffer.from(before);
        break;
      case 3:
        result = Buffer.concat([before, Buffer.from(random.bytes(12), 'latin1'), after]);
        break;
      case 4:
        result = Buffer.concat([before, after.subarray(random.below(4)), before]);
        break;
      // a varint of ten bytes: the largest there is, or -1
      default:
        result = Buffer.concat([before, Buffer.alloc(9, 0xff), Buffer.from([0x01]), after.subarray(1)]);
    }
  }
  return result;
}
