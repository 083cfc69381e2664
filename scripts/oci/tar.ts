const BLOCK = 512;

/**
 * A ustar archive of one file. Nothing of the machine is in it: time 0, owner 0 without names, mode 0644.
 *
 *   header 512 | content, padded with zeros to a multiple of 512 | two blocks of zeros
 */
export function tarOf(name: string, content: Uint8Array): Buffer {
  const padded = Math.ceil(content.length / BLOCK) * BLOCK;
  const archive = Buffer.alloc(BLOCK + padded + 2 * BLOCK);
  writeHeader(archive, name, content.length);
  archive.set(content, BLOCK);
  return archive;
}

/** Offset and width of every field that is not zero; numbers are octal digits with a NUL at the end. */
function writeHeader(archive: Buffer, name: string, bytes: number): void {
  if (Buffer.byteLength(name) > 99) throw new Error('name too long for a ustar header');
  if (bytes >= 8 ** 11) throw new Error('file too large for a ustar header');
  archive.write(name, 0);
  writeOctal(archive, 100, 8, 0o644);
  writeOctal(archive, 108, 8, 0);
  writeOctal(archive, 116, 8, 0);
  writeOctal(archive, 124, 12, bytes);
  writeOctal(archive, 136, 12, 0);
  archive.write('0', 156);
  archive.write('ustar\0' + '00', 257);
  // the sum is made as if its own field were spaces
  archive.write(' '.repeat(8), 148);
  const sum = archive.subarray(0, BLOCK).reduce((total, byte) => total + byte, 0);
  archive.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
}

function writeOctal(archive: Buffer, offset: number, width: number, value: number): void {
  archive.write(`${value.toString(8).padStart(width - 1, '0')}\0`, offset);
}
