import { parseArgs } from 'node:util';
import { decode } from '../../file/read.ts';
import { digestKey, inspectKey } from '../../key/index.ts';
import { unusableRule } from '../../key/key.ts';
import { type Io, Refusal } from '../command.ts';
import { must } from './argument.ts';
import { promptForKey } from './prompt.ts';

/** Far more than any key has. */
const MAX_STDIN_BYTES = 65_536;
/** More warnings than this are only counted. */
const MAX_WARNED = 100;

export const MISTYPED = 'the key begins with tg_ but its checksum is wrong; it may be mistyped or cut off';

export async function runDigest(args: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { prompt: { type: 'boolean', default: false }, lines: { type: 'boolean', default: false } },
  });
  must(
    positionals.every((name) => name === '-') && positionals.length <= 1,
    "takes no key as an argument, because the shell's history and the list of processes would show it; use standard input or --prompt",
  );
  must(!values.prompt || !values.lines, 'takes --prompt or --lines, not both');
  if (!values.prompt && process.stdin.isTTY)
    io.err(
      values.lines
        ? 'reading keys from the terminal, where they show, one a line. Ctrl-D ends it\n'
        : 'reading the key from the terminal, where it shows; --prompt hides it. Ctrl-D ends it\n',
    );
  if (values.lines) return digestLines(io);
  const key = values.prompt ? await promptForKey((question) => io.err(question)) : await keyOnStdin(io);
  const digest = digestKey(key);
  if (inspectKey(key) === 'mistyped') io.err(`warning: ${MISTYPED}\n`);
  io.out(`${digest}\n`);
  return 0;
}

/** Without the line break at its end, and the byte order mark that Windows may put before it. */
async function keyOnStdin(io: Io): Promise<string> {
  const decoded = decode(await io.stdin(MAX_STDIN_BYTES));
  if ('rule' in decoded) throw new Refusal(`standard input: ${decoded.rule}`);
  const [key = '', ...more] = decoded.text
    .replace(/^\ufeff/, '')
    .replace(/(?:\r?\n)+$/, '')
    .split(/\r?\n/);
  if (more.length > 0)
    throw new Refusal(`standard input must hold one key on one line; found ${more.length + 1} lines`);
  return key;
}

/** One digest per line, in the same order. Stops at the first line that is not a key, so that digests never get out of step with their keys. */
async function digestLines(io: Io): Promise<number> {
  let line = 0;
  let mistyped = 0;
  try {
    for await (const keys of linesOf(io.stdinChunks())) {
      const digests: string[] = [];
      for (const key of keys) {
        line++;
        const rule = unusableRule(key);
        if (rule !== null) {
          await io.deliver(digests.join(''));
          throw new Refusal(`standard input:${line}: ${rule}`);
        }
        if (inspectKey(key) === 'mistyped' && ++mistyped <= MAX_WARNED)
          io.err(`standard input:${line}: warning: ${MISTYPED}\n`);
        digests.push(`${digestKey(key)}\n`);
      }
      await io.deliver(digests.join(''));
    }
  } catch (error) {
    // the reader of the digests went away, as head does
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') return 0;
    throw error;
  }
  if (mistyped > MAX_WARNED) io.err(`standard input: and ${mistyped - MAX_WARNED} more warnings\n`);
  return 0;
}

/** Complete lines as they arrive, several at a time. */
async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string[]> {
  let rest = '';
  let isFirst = true;
  for await (const chunk of chunks) {
    // One character per byte: keys are ASCII, and anything else is refused.
    const text = rest + Buffer.from(chunk).toString('latin1');
    if (isFirst && text.length < 4) {
      rest = text;
      continue;
    }
    const lines = (isFirst ? withoutMark(text) : text).split('\n');
    isFirst = false;
    rest = lines.pop()!;
    // Longer than any key: reading stops, and the part that was read is refused.
    if (rest.length > MAX_STDIN_BYTES) break;
    if (lines.length > 0) yield lines.map(withoutReturn);
  }
  if (isFirst) rest = withoutMark(rest);
  if (rest !== '') yield [withoutReturn(rest)];
}

function withoutMark(text: string): string {
  const decoded = decode(Buffer.from(text.slice(0, 4), 'latin1'));
  if ('rule' in decoded && decoded.line === 0) throw new Refusal(`standard input: ${decoded.rule}`);
  return text.replace(/^\u00ef\u00bb\u00bf/, '');
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}
