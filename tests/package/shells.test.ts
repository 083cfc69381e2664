import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it, test } from 'node:test';
import { availableComponents } from '../../harness/components/available.ts';
import { SHELL_COMPONENTS } from '../../harness/components/component.ts';
import { eventually } from '../../harness/envoy/toolProcess.ts';
import { scratchFolder } from '../../harness/scratch.ts';
import { about, npm, packed } from './packed.ts';
import { Stranger } from './stranger.ts';

const found = await availableComponents(SHELL_COMPONENTS);
const skip = found.skip === false ? false : `${found.skip}; "npm test package" installs them`;
const paths = found.skip === false ? found.paths : null;
const stranger = Stranger.arrive(packed());
after(() => stranger.leave());

const desk = scratchFolder();
for (const file of ['policy.yaml', 'my policy.yaml']) writeFileSync(join(desk, file), '');
mkdirSync(join(desk, 'policies'));

async function scriptOf(shell: string): Promise<string> {
  const { code, out, err } = await stranger.tollgate(['completion', shell]);
  assert.deepEqual([code, err], [0, '']);
  const file = join(desk, `.${shell}`);
  writeFileSync(file, out);
  return file;
}

const PROMPT = 'ready>';

/** Types lines into a shell that has a terminal, each once the shell is ready for it; what "tollgate" got each time. */
async function typed(command: string, setup: string, lines: readonly string[]): Promise<string[][]> {
  const child = spawn('script', ['--quiet', '--command', command, '/dev/null'], {
    cwd: desk,
    env: { PATH: process.env['PATH'], TERM: 'dumb', HOME: desk, INPUTRC: '/dev/null', HISTFILE: '' },
  });
  let screen = '';
  child.stdout.on('data', (bytes: Buffer) => (screen += bytes.toString()));
  const ended = new Promise((resolve) => child.on('close', resolve));
  const isReady = (times: number) => (): true | null => (screen.split(PROMPT).length > times ? true : null);
  try {
    child.stdin.write(`${setup}\n`);
    for (const [at, line] of lines.entries()) {
      // the line that sets the prompt holds it too
      await eventually(isReady(at + 2), () => screen, 20_000);
      child.stdin.write(`${line}\n`);
    }
    await eventually(isReady(lines.length + 2), () => screen, 20_000);
  } finally {
    child.stdin.end('exit\n');
    setTimeout(() => child.kill('SIGKILL'), 2000).unref();
    await ended;
  }
  return [...screen.matchAll(/^GOT(.*?)\r?$/gm)].map(([, words]) =>
    [...words!.matchAll(/<(.*?)>/g)].map(([, word]) => word!),
  );
}

const LINES: Readonly<Record<string, readonly string[]>> = {
  'tollgate chec\tpolicy\t--js\t': ['check', 'policy.yaml', '--json'],
  'tollgate check my\t': ['check', 'my policy.yaml'],
  'tollgate emit --kind=Tra\t--out polici\t': ['emit', '--kind=TrafficExtension', '--out', 'policies'],
  'tollgate emit --fail-strategy FAIL_O\t': ['emit', '--fail-strategy', 'FAIL_OPEN'],
  'tollgate keys iss\t--cons\tacme': ['keys', 'issue', '--consumer', 'acme'],
  'tollgate run --port pol\t': ['run', '--port', 'pol'],
  'tollgate help comp\tx': ['help', 'compx'],
  'tollgate help vers\t': ['help', 'version'],
};

/** With a folder's slash and an option's = off: shells differ in what they put after a word. */
function words(got: readonly (readonly string[])[]): string[][] {
  return got.map((line) => line.flatMap((word) => word.replace(/\/$/, '').split('=')));
}

describe('completion in shells that are really typed into', { skip }, () => {
  it('zsh, sourced and as a function of $fpath', async () => {
    const file = await scriptOf('zsh');
    const functions = join(desk, '.functions');
    mkdirSync(functions);
    writeFileSync(join(functions, '_tollgate'), readFileSync(file));
    const setup = (load: string): string =>
      `${load}; setopt no_beep no_auto_menu; bindkey "^I" complete-word; tollgate() { print -r -- "GOT <\${(j:> <:)@}>" }; PS1="${PROMPT}"`;
    for (const load of [
      `autoload -Uz compinit && compinit -u -D; source ${file}`,
      `fpath=(${functions} $fpath); autoload -Uz compinit && compinit -u -D`,
    ])
      assert.deepEqual(
        words(await typed(`${paths!.zsh} -f -i`, setup(load), Object.keys(LINES))),
        words(Object.values(LINES)),
      );
  });

  it('bash', async () => {
    const setup = `source ${await scriptOf('bash')}; tollgate() { printf 'GOT'; printf ' <%s>' "$@"; echo; }; PS1='${PROMPT}'`;
    assert.deepEqual(
      words(await typed('bash --norc --noprofile -i', setup, Object.keys(LINES))),
      words(Object.values(LINES)),
    );
  });

  it('fish', async () => {
    const file = await scriptOf('fish');
    const proposed = (line: string): string[] => {
      const code = `source ${file}; complete -C '${line}'`;
      const { stdout, stderr, status } = spawnSync(paths!.fish, ['--no-config', '-c', code], {
        cwd: desk,
        encoding: 'utf8',
        env: { PATH: process.env['PATH'], HOME: desk },
      });
      assert.deepEqual([status, stderr], [0, ''], line);
      return stdout
        .split('\n')
        .filter((row) => row !== '')
        .map((row) => row.split('\t')[0]!);
    };
    for (const [line, expected] of Object.entries({
      'tollgate chec': ['check'],
      'tollgate check pol': ['policies/', 'policy.yaml'],
      'tollgate check --js': ['--json'],
      'tollgate emit --kind ': ['TrafficExtension', 'WasmPlugin'],
      'tollgate emit --out ': ['policies/'],
      'tollgate keys ': ['digest', 'issue', 'list', 'revoke'],
      'tollgate keys issue --cons': ['--consumer'],
      'tollgate keys list --cons': [],
      'tollgate run --port ': [],
      'tollgate completion ': ['bash', 'fish', 'zsh'],
      'tollgate help vers': ['version'],
      // a file that is called like a command is no command
      'tollgate diff check --exit': ['--exit-code'],
    }))
      for (const word of expected.length === 0 ? [null] : expected) {
        const got = proposed(line);
        if (word === null) assert.deepEqual(got, [], line);
        else assert.ok(got.includes(word), `${line}: ${got.join(' ')}`);
      }
  });
});

describe('the man page', () => {
  const page = join(stranger.installed, 'dist', 'tollgate.1');

  it('is what "tollgate help --man" prints, and says all that --help says', async () => {
    const { out } = await stranger.tollgate(['help', '--man']);
    assert.equal(out, readFileSync(page, 'utf8'));
    assert.match(out, /^\.TH TOLLGATE 1 "\d{4}-\d\d-\d\d" "tollgate \d+\.\d+\.\d+/m);
    const { out: help } = await stranger.tollgate(['--help']);
    const names = [...help.matchAll(/^ {2}([a-z][a-z-]*) {2,}\S/gm)].map(([, name]) => name!);
    assert.ok(names.length > 15);
    const plain = plainWords(out);
    for (const name of names) {
      const { out: usage } = await stranger.tollgate([name, '--help']);
      const lost = usage
        .split('\n')
        .slice(1)
        .flatMap((line) => line.trim().split(/ {2,}/))
        .filter(
          (part) =>
            !['', 'usage:', 'example:', 'examples:'].includes(part) &&
            !plain.includes(squeezed(part.replace(/^usage: /, ''))),
        );
      assert.deepEqual(lost, [], name);
    }
  });

  it('is formatted by groff and mandoc without a warning', { skip }, () => {
    const groff = spawnSync(paths!.groff, ['-man', '-ww', '-z', page], { encoding: 'utf8' });
    assert.deepEqual([groff.status, groff.stderr, groff.stdout], [0, '', '']);
    const mandoc = spawnSync(paths!.mandoc, ['-T', 'lint', '-W', 'warning', page], { encoding: 'utf8' });
    assert.deepEqual([mandoc.status, mandoc.stdout], [0, '']);
    const shown = spawnSync(paths!.mandoc, ['-T', 'utf8', page], { encoding: 'utf8' }).stdout.replace(/.\u0008/g, '');
    assert.match(shown, /^ +tollgate check POLICY… \[--json\]/m);
    assert.match(shown, /^ +-o, --out DIR$/m);
  });

  it('is where man looks, after npm install --global', () => {
    const prefix = scratchFolder();
    npm(
      ['install', '--global', '--prefix', prefix, '--offline', '--no-audit', '--no-fund', '--silent', packed()],
      desk,
    );
    assert.equal(readFileSync(join(prefix, 'share', 'man', 'man1', 'tollgate.1'), 'utf8'), readFileSync(page, 'utf8'));
  });
});

/** Roff without requests and escapes. */
function plainWords(roff: string): string {
  const text = roff
    .replace(/^\.(?:[A-Z]+|nf|fi)(?: (.*))?$/gm, '$1')
    .replace(/\\\[u([0-9A-F]+)\]/g, (_, code: string) => String.fromCodePoint(parseInt(code, 16)))
    .replace(/\\\((..)/g, (_, name: string) => ({ aq: "'", ga: '`', ha: '^', ti: '~', dq: '"' })[name] ?? '?')
    .replaceAll('\\&', '')
    .replaceAll('\\e', '\\')
    .replaceAll('\\-', '-');
  return squeezed(text);
}

function squeezed(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

test('package.json names the man page', () => {
  // npm links no page of a plain string
  assert.deepEqual((about as unknown as { man: string[] }).man, ['./dist/tollgate.1']);
});
