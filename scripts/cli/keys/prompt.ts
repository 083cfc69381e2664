import { Refusal, UsageError } from '../command.ts';

const INTERRUPT = '\u0003';
const END = '\u0004';
const ERASE = new Set(['\u007f', '\b']);
const LINE_BREAKS = new Set(['\r', '\n', END]);

/** Reads one line from the terminal without showing it. */
export async function promptForKey(ask: (text: string) => void): Promise<string> {
  const { stdin } = process;
  if (!stdin.isTTY) throw new UsageError('--prompt needs a terminal; without it the key is read from standard input');
  ask('key (not shown): ');
  stdin.setRawMode(true);
  stdin.setEncoding('utf8');
  try {
    // left open: the mode of a closed terminal could not be restored
    return await readLine(stdin.iterator({ destroyOnReturn: false }) as AsyncIterable<string>);
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    ask('\n');
  }
}

/** The text up to a line break, with erased characters gone; Ctrl-C gives up. */
export async function readLine(chunks: AsyncIterable<string | Buffer>): Promise<string> {
  let line: string[] = [];
  for await (const chunk of chunks) {
    for (const character of chunk.toString()) {
      if (character === INTERRUPT) throw new Refusal('stopped; no key was read');
      if (LINE_BREAKS.has(character)) return line.join('');
      if (ERASE.has(character)) line = line.slice(0, -1);
      else line.push(character);
    }
  }
  return line.join('');
}
