import { realpath } from 'node:fs/promises';
import { runToEnd } from '../program/run.ts';

/**
 * The commit of a checkout, when the files are what the commit says; otherwise null: an image must not claim a commit it
 * was not made from. An installed package inside somebody else's checkout has no commit.
 */
export async function cleanRevision(folder: string): Promise<string | null> {
  const top = await git(folder, ['rev-parse', '--show-toplevel']);
  if (top === null || (await realpath(top)) !== (await realpath(folder))) return null;
  const [commit, changes] = await Promise.all([
    git(folder, ['rev-parse', 'HEAD']),
    git(folder, ['status', '--porcelain']),
  ]);
  return changes === '' ? commit : null;
}

async function git(folder: string, args: string[]): Promise<string | null> {
  // a hook or an alias that set these would make git answer for another repository
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_')));
  const { code, stdout } = await runToEnd('git', ['-C', folder, ...args], { env: { ...env, GIT_OPTIONAL_LOCKS: '0' } });
  return code === 0 ? stdout.trimEnd() : null;
}
