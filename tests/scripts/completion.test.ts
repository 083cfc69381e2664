import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, test } from 'node:test';
import { scratchFolder } from '../../harness/scratch.ts';
import { tollgate } from './fakeIo.ts';

const desk = scratchFolder();
writeFileSync(join(desk, 'policy.yaml'), '');
writeFileSync(join(desk, 'my policy.yaml'), '');
mkdirSync(join(desk, 'policies'));
mkdirSync(join(desk, 'check'));

const script = await tollgate(['completion', 'bash']);
writeFileSync(join(desk, '.completion'), script.out);
const hasBash = spawnSync('bash', ['--version']).status === 0;
const skip = hasBash ? false : 'no bash here';
assert.ok(hasBash || process.env['CI'] !== 'true', 'no bash here');

/** What bash's completion proposes after a line; words as readline splits them, with = as one of its own. */
function proposals(line: string): string[] {
  const words = line.split(/ +|(?==)|(?<==)/);
  const code = `source ./.completion
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
_tollgate; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync('bash', ['--norc', '-c', code], { cwd: desk, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.equal(stderr.replace(/.*compopt: not currently executing completion function\n/g, ''), '');
  return stdout.split('\n').filter((word) => word !== '');
}

describe('completion in bash', { skip }, () => {
  for (const [line, expected] of Object.entries({
    'tollgate che': ['check'],
    'tollgate c': ['check', 'compile', 'completion'],
    'tollgate --': ['--help', '--version'],
    'tollgate keys ': ['issue', 'revoke', 'list', 'digest', '--help'],
    'tollgate keys issue --c': ['--consumer'],
    'tollgate keys list --': ['--json', '--help'],
    'tollgate emit --kind ': ['WasmPlugin', 'TrafficExtension'],
    'tollgate emit --kind=Tr': ['TrafficExtension'],
    'tollgate emit --kind=': ['WasmPlugin', 'TrafficExtension'],
    'tollgate emit p.yaml --fail-strategy FAIL_O': ['FAIL_OPEN'],
    'tollgate emit -o pol': ['policies'],
    'tollgate diff --live ./pol': ['./policies'],
    'tollgate help vers': ['version'],
    'tollgate completion ': ['bash', 'zsh', 'fish'],
    'tollgate pack --sbom ': ['cyclonedx', 'spdx'],
    // files are what bash completes by itself
    'tollgate check pol': [],
    'tollgate run --envoy ./': [],
    'tollgate run --port ': [],
    'tollgate nonsense ': [],
    'tollgate check $(touch oops) --': ['--json', '--watch', '--help'],
  }))
    it(line, () => {
      const found = proposals(line);
      for (const word of expected) assert.ok(found.includes(word), `${word} is missing in ${found.join(' ')}`);
      if (!line.endsWith(' ') || expected.length < 4) assert.deepEqual([...found].sort(), [...expected].sort());
    });

  it('a real bash, with its own reading of lines, completes commands, options, files with spaces and nothing for a number', (t) => {
    if (spawnSync('script', ['--version']).status !== 0)
      return t.skip('no script(1) here, which gives bash a terminal');
    const typed = [
      'cd "$DESK"; source ./.completion; tollgate() { printf "GOT"; printf " <%s>" "$@"; echo; }',
      'tollgate chec\tpol\ty.yaml --js\t',
      'tollgate check my\t',
      'tollgate emit --kind=Tra\t--out polici\t',
      'tollgate run --port pol\t',
      'exit',
    ];
    const { stdout } = spawnSync('script', ['--quiet', '--command', 'bash --norc --noprofile -i', '/dev/null'], {
      input: `${typed.join('\n')}\n`,
      encoding: 'utf8',
      env: { ...process.env, DESK: desk, TERM: 'dumb', INPUTRC: '/dev/null', HISTFILE: '' },
    });
    const got = [...stdout.matchAll(/^GOT (.*?)\r?$/gm)].map(([, words]) => words);
    assert.deepEqual(got, [
      '<check> <policy.yaml> <--json>',
      '<check> <my policy.yaml>',
      '<emit> <--kind=TrafficExtension> <--out> <policies/>',
      '<run> <--port> <pol>',
    ]);
  });
});

test('the scripts of all shells name every command, and are the same each time', async () => {
  const names = [...(await tollgate(['--help'])).out.matchAll(/^ {2}([a-z][a-z-]*) {2,}\S/gm)].map(([, name]) => name!);
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, out, err } = await tollgate(['completion', shell]);
    assert.deepEqual([code, err], [0, '']);
    for (const name of names) assert.match(out, new RegExp(`\\b${name}\\b`), `${shell}: ${name}`);
    assert.equal((await tollgate(['completion', shell])).out, out);
  }
});

test('another shell is refused', async () => {
  assert.deepEqual(await tollgate(['completion', 'csh']), {
    code: 2,
    out: '',
    err: 'tollgate completion: takes one of bash, zsh, fish; found "csh"; see tollgate completion --help\n',
  });
  assert.equal((await tollgate(['completion'])).code, 2);
});
