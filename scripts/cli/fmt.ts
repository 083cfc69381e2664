import { parseArgs } from 'node:util';
import { type Command, type Io, UsageError } from './command.ts';
import { exitCodeOf } from './failure.ts';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { namesIn } from '../file/folder.ts';
import { inputName, isReadTwice, policyText } from '../file/openPolicy.ts';
import { visibleName, visibleText } from '../policy/secret.ts';
import { formatPolicy } from '../policyFile/format.ts';
import { reformat } from '../policyFile/reformat.ts';

const usage = `tollgate fmt: formats policies, with comments and meaning kept

usage: tollgate fmt POLICY… [--check]

  POLICY     a policy file, changed in its place, or a folder: each file of the policy in it; - reads standard input and prints the
             result
  --check    writes nothing and prints no policy: lists the files that are not formatted, exit code 1 if there are any

Steps of two spaces, lists indented, { a: 1 } and [a, b], one empty line where there were more; what is in braces or brackets and
does not fit into 120 columns becomes a block. Words, quotes, order and comments stay as they are, JSON stays JSON, and
Windows line breaks stay too. The files that were changed are listed. A file that needs no change is not touched; any other is
replaced as a whole, once its new text has been read again: the same values, and the same comments between the same
words. Problems that "tollgate check" finds do not matter here, as long as the file can be read.
Exit code: 0 done, 1 a file cannot be read or formatted, or --check found one that is not formatted.

examples:
  tollgate fmt petstore.policy.yaml
  tollgate fmt --check policies/ *.policy.yaml
  tollgate fmt - < petstore.policy.yaml`;

export const fmt: Command = {
  usage,
  run: async (args, io) => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { check: { type: 'boolean', default: false } },
    });
    if (positionals.length === 0) throw new UsageError('needs a POLICY');
    if (isReadTwice(positionals)) throw new UsageError('- may stand once only: standard input is read once');
    let code = 0;
    for (const file of (await Promise.all(positionals.map(filesOf))).flat()) {
      if (io.signal.aborted) return 1;
      if (!(await isDone(file, values.check, io))) code = 1;
    }
    return code;
  },
};

async function filesOf(file: string): Promise<string[]> {
  const isFolder = (await stat(file).catch(() => null))?.isDirectory() === true;
  return isFolder ? (await namesIn(file)).map((name) => join(file, name)) : [file];
}

/** False when the answer is no; the other files get theirs all the same. */
async function isDone(file: string, isCheck: boolean, io: Io): Promise<boolean> {
  try {
    if (isCheck) {
      const text = await policyText(file, io.stdin);
      if (formatPolicy(text, inputName(file)) === text) return true;
      io.out(`${visibleName(inputName(file))}\n`);
      return false;
    }
    if (file === '-') io.out(formatPolicy(await policyText(file, io.stdin), inputName(file)));
    else if (await reformat(file, io.signal)) io.out(`${visibleName(file)}\n`);
    return true;
  } catch (error) {
    if (exitCodeOf(error) !== 1) throw error;
    io.err(`${visibleText((error as Error).message)}\n`);
    return false;
  }
}
