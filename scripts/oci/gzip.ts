import { gzipSync } from 'node:zlib';

/** The most that one stored block holds: its length has 16 bits. */
const STORED_BYTES = 0xffff;

/** Magic, deflate, no flags, no time, no extra flags, operating system "unknown". */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);

/**
 * gzip whose bytes depend on the input alone. What a compressor finds depends on zlib's version, on the build of Node and
 * on the processor (the matchers of zlib's forks use its vector instructions), and so would the digest of the image. So the content is
 * stored, not compressed: a module is some tens of kilobytes, and a registry moves those in one go.
 *
 *   header 10 | { last 1, length 2, ~length 2, bytes }… | CRC-32 4, length 4
 */
export function storedGzip(content: Uint8Array): Buffer {
  const parts: Uint8Array[] = [HEADER];
  for (let at = 0; at === 0 || at < content.length; at += STORED_BYTES) {
    const piece = content.subarray(at, at + STORED_BYTES);
    const head = Buffer.alloc(5);
    head.writeUInt8(at + STORED_BYTES >= content.length ? 1 : 0, 0);
    head.writeUInt16LE(piece.length, 1);
    head.writeUInt16LE(piece.length ^ 0xffff, 3);
    parts.push(head, piece);
  }
  // the trailer is about the content, whatever the compression: zlib's is as good as our own
  parts.push(gzipSync(content, { level: 0 }).subarray(-8));
  return Buffer.concat(parts);
}
