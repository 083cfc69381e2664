import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it, test } from 'node:test';
import { scratchFolder } from '../../harness/scratch.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { tollgate } from './fakeIo.ts';

const VALID = 'policy: shop\napis: { pets: { paths: [/v1], plans: [free], anonymous: allow } }\nplans: { free: }\n';
const BAD = `${VALID}unmatched: never\n`;
const WAIT_MS = 15_000;
const children = new Set<ChildProcess>();
after(() => children.forEach((child) => child.kill('SIGKILL')));

/** `tollgate check --watch` as a program, and what it has said. */
class Watch {
  said = '';
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  #from = 0;

  constructor(...args: string[]) {
    this.child = spawn(process.execPath, [inPackage('scripts', 'bin.mjs'), 'check', '--watch', ...args]);
    children.add(this.child);
    for (const stream of [this.child.stdout!, this.child.stderr!])
      stream.on('data', (bytes: Buffer) => (this.said += bytes.toString()));
    this.ended = new Promise((resolve) => this.child.on('close', resolve));
  }

  /** Resolves once it says so, after what was heard before. */
  async says(words: string): Promise<void> {
    for (const deadline = Date.now() + WAIT_MS; ; await pause(10)) {
      const at = this.said.indexOf(words, this.#from);
      if (at >= 0) {
        this.#from = at + words.length;
        return;
      }
      if (Date.now() > deadline) throw new Error(`never said "${words}", but:\n${this.said}`);
    }
  }

  stop(signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> {
    this.child.kill(signal);
    return this.ended;
  }
}

/** Resolves to how long it really was, in milliseconds. */
function pause(ms: number): Promise<number> {
  const started = performance.now();
  return new Promise((resolve) => setTimeout(() => resolve(performance.now() - started), ms));
}

describe('check --watch', () => {
  it('checks at once and after every save, however the file is saved, and ends with 0 on Ctrl-C', async () => {
    const file = join(scratchFolder(), 'p.yaml');
    writeFileSync(file, VALID);
    const watch = new Watch(file);
    await watch.says('valid (1 API');
    await watch.says(`watching ${file}; Ctrl-C ends`);
    writeFileSync(file, BAD);
    await watch.says(`${file} changed:`);
    await watch.says(`${file}:4: unmatched: must be "deny" or "allow"; found "never"`);
    // as vim and many editors do
    writeFileSync(`${file}~`, VALID);
    renameSync(`${file}~`, file);
    await watch.says('valid (1 API');
    renameSync(file, `${file}.bak`);
    writeFileSync(file, BAD);
    await watch.says('found "never"');
    unlinkSync(file);
    symlinkSync(`${file}.bak`, file);
    await watch.says('valid (1 API');
    assert.equal(await watch.stop(), 0);
    assert.equal(watch.said.includes('\u001b'), false, 'no colours where nobody sees them');
  });

  it('waits for files that are not there yet, not even their folder, and for files that are taken away', async () => {
    const folder = join(scratchFolder(), 'later');
    const file = join(folder, 'p.yaml');
    const watch = new Watch(file);
    await watch.says(`${file}: no such file`);
    mkdirSync(folder);
    writeFileSync(file, VALID);
    await watch.says('valid (1 API');
    rmSync(folder, { recursive: true });
    await watch.says(`${file}: no such file`);
    mkdirSync(folder);
    writeFileSync(file, BAD);
    await watch.says('found "never"');
    assert.equal(await watch.stop('SIGTERM'), 0);
  });

  it('says one thing about a save in many steps, and nothing about a file that is gone for a moment', async () => {
    // on a busy machine a save of this test may have longer pauses than any editor's: then it is another save
    for (let attempt = 1; ; attempt++) {
      const file = join(scratchFolder(), 'p.yaml');
      writeFileSync(file, VALID);
      const watch = new Watch(file);
      await watch.says('Ctrl-C ends');
      const pauses: number[] = [];
      for (let at = 1; at <= 8; at++) {
        writeFileSync(file, BAD.slice(0, (BAD.length * at) / 8));
        if (at < 8) pauses.push(await pause(10));
      }
      await watch.says('found "never"');
      unlinkSync(file);
      const goneMs = await pause(150);
      writeFileSync(file, BAD);
      await pause(1000);
      writeFileSync(file, VALID);
      await watch.says('valid (1 API');
      await watch.stop();
      if ((Math.max(...pauses) > 40 || goneMs > 300) && attempt < 20) continue;
      assert.equal(watch.said.match(/ changed:/g)!.length, 2, watch.said);
      assert.equal(watch.said.includes('no such file'), false);
      break;
    }
  });

  it('with --json prints an object a line, and only that, on standard output', async () => {
    const files = ['a.yaml', 'b.yaml'].map((name) => join(scratchFolder(), name));
    for (const file of files) writeFileSync(file, VALID);
    const watch = new Watch('--json', ...files);
    let out = '';
    watch.child.stdout!.on('data', (bytes: Buffer) => (out += bytes.toString()));
    await watch.says('watching 2 files');
    writeFileSync(files[1]!, BAD);
    await watch.says('"ok":false');
    assert.equal(await watch.stop(), 0);
    assert.deepEqual(
      out
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { ok: boolean }).ok),
      [true, false],
    );
  });

  it('ends when nobody reads what it says any more', async () => {
    const file = join(scratchFolder(), 'p.yaml');
    writeFileSync(file, VALID);
    const watch = new Watch(file);
    await watch.says('Ctrl-C ends');
    watch.child.stdout!.destroy();
    await pause(100);
    writeFileSync(file, `${VALID}# again\n`);
    assert.equal(await watch.ended, 0);
  });
});

test('check --watch - is wrong usage', async () => {
  assert.deepEqual(await tollgate(['check', '--watch', '-']), {
    code: 2,
    out: '',
    err: 'tollgate check: --watch follows files; - is standard input; see tollgate check --help\n',
  });
});
