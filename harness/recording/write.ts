import { writeFile } from 'node:fs/promises';
import { record } from './record.ts';
import { PICTURE, terminal } from './terminal.ts';

/** `npm run record`: plays the scenes on a real Envoy and writes the picture of README.md. */
const played = await record();
if (played === null) {
  process.stderr.write('record: needs Linux and a C compiler, for an Envoy whose clock stands still\n');
  process.exit(1);
}
await writeFile(PICTURE, terminal(played));
process.stdout.write(`${PICTURE}\n`);
