import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { after, before, test } from 'node:test';
import { OciError } from '../../scripts/oci/error.ts';
import { type Credential, dockerCredential } from '../../scripts/oci/credentials.ts';
import { scratchFolder } from '../../harness/scratch.ts';

const folder = scratchFolder();
const SECRET = 'hunter2:with-colon';
const { signal } = new AbortController();
const path = process.env['PATH'];

/** A credential helper like docker's: the registry on standard input, JSON on standard output. */
const HELPER = `#!/bin/sh
[ "$1" = get ] || exit 9
read -r server
case $server in
  helped.example) printf '{"ServerURL":"%s","Username":"robot","Secret":"${SECRET}"}' "$server" ;;
  token.example) printf '{"ServerURL":"%s","Username":"<token>","Secret":"refresh"}' "$server" ;;
  https://index.docker.io/v1/) printf '{"ServerURL":"%s","Username":"hub","Secret":"s"}' "$server" ;;
  broken.example) echo "cannot unlock ${SECRET}"; exit 1 ;;
  endless.example) yes hunter2 ;;
  leaving.example) printf '{"Username":"robot","Secret":"s"}'; sleep 20 & ;;
  babbling.example) echo "${SECRET}" ;;
  *) echo "credentials not found in native keychain"; exit 1 ;;
esac
`;

before(() => {
  const file = join(folder, 'docker-credential-fake');
  writeFileSync(file, HELPER);
  chmodSync(file, 0o755);
  process.env['PATH'] = `${folder}${delimiter}${path}`;
});
after(() => void (process.env['PATH'] = path));

function auth(user: string, password: string): { auth: string } {
  return { auth: Buffer.from(`${user}:${password}`).toString('base64') };
}

let count = 0;
function find(config: unknown, host: string, repository = 'team/app'): Promise<Credential | null> {
  const own = join(folder, String(count++));
  mkdirSync(own);
  writeFileSync(join(own, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config));
  return dockerCredential({ host, repository }, signal, { DOCKER_CONFIG: own });
}

async function pair(config: unknown, host = 'r.example', repository = 'team/app'): Promise<string | null> {
  const found = await find(config, host, repository);
  return found === null
    ? null
    : found.kind === 'password'
      ? `${found.username} ${found.password}`
      : `${found.kind} ${found.token}`;
}

test('auths: base64 of user and password, and the password may hold colons', async () => {
  assert.equal(await pair({ auths: { 'r.example': auth('me', SECRET) } }), `me ${SECRET}`);
  assert.equal(await pair({ auths: { 'r.example': auth('me', `${SECRET}\0\0`) } }), `me ${SECRET}`);
  assert.equal(await pair({ auths: { 'r.example': { username: 'me', password: 'p' } } }), 'me p');
});

test('auths: the host in any way that docker has written it', async () => {
  for (const name of ['https://r.example', 'https://r.example/', 'http://r.example/v1/', 'https://r.example/v2/'])
    assert.equal(await pair({ auths: { [name]: auth('me', 'p') } }), 'me p', name);
  assert.equal(await pair({ auths: { 'https://index.docker.io/v1/': auth('hub', 'p') } }, 'docker.io'), 'hub p');
});

test('auths: another host, another port and a longer name are somebody else', async () => {
  for (const name of [
    'x.example',
    'r.example:5000',
    'r.example.org',
    'sub.r.example',
    'https://r.example@evil.example',
  ])
    assert.equal(await pair({ auths: { [name]: auth('me', 'p') } }), null, name);
});

test('auths: an entry with a path is for what is below it, and the longest counts', async () => {
  const auths = {
    'r.example': auth('host', 'p'),
    'r.example/team': auth('team', 'p'),
    'r.example/team/app': auth('app', 'p'),
    'r.example/team/app/deep': auth('deep', 'p'),
    'x.example/team': auth('x', 'p'),
  };
  const cases: [string, string][] = [
    ['team/app', 'app p'],
    ['team/app/other', 'app p'],
    ['team/app/deep', 'deep p'],
    ['team/other', 'team p'],
    ['team', 'team p'],
    ['teams/app', 'host p'],
    ['tea', 'host p'],
    ['other', 'host p'],
    ['app', 'host p'],
  ];
  for (const [repository, expected] of cases)
    assert.equal(await pair({ auths }, 'r.example', repository), expected, repository);
  assert.equal(await pair({ auths: { 'r.example/team': auth('team', 'p') } }, 'r.example', 'other/app'), null);
});

test('auths: a path in any way in which it has been written, and below every name of Docker Hub', async () => {
  for (const name of ['https://r.example/team', 'r.example/team/', 'http://r.example/team/'])
    assert.equal(await pair({ auths: { [name]: auth('team', 'p') } }), 'team p', name);
  for (const name of ['docker.io/team', 'index.docker.io/team', 'https://registry-1.docker.io/team/'])
    assert.equal(await pair({ auths: { [name]: auth('hub', 'p') } }, 'docker.io'), 'hub p', name);
  assert.equal(await pair({ auths: { 'docker.io/library': auth('hub', 'p') } }, 'docker.io', 'library/app'), 'hub p');
});

test('auths: an empty entry counts as none, and names of Object.prototype match nothing', async () => {
  assert.equal(
    await pair({ auths: { 'r.example/team': {}, 'r.example/team/app': { auth: '' }, 'r.example': auth('host', 'p') } }),
    'host p',
  );
  for (const host of ['constructor', '__proto__', 'toString']) assert.equal(await pair('{"auths": {}}', host), null);
});

test('an entry with a path counts before a helper for the whole registry; one without after it', async () => {
  assert.equal(
    await pair({ credsStore: 'fake', auths: { 'helped.example/team': auth('team', 'p') } }, 'helped.example'),
    'team p',
  );
  assert.equal(
    await pair(
      { credHelpers: { 'helped.example': 'fake' }, auths: { 'helped.example/team': auth('team', 'p') } },
      'helped.example',
      'other',
    ),
    `robot ${SECRET}`,
  );
  assert.equal(
    await pair({ credsStore: 'fake', auths: { 'helped.example': auth('file', 'p') } }, 'helped.example'),
    `robot ${SECRET}`,
  );
});

test('auths: tokens', async () => {
  assert.equal(await pair({ auths: { 'r.example': { identitytoken: 'refresh' } } }), 'identityToken refresh');
  assert.equal(await pair({ auths: { 'r.example': { registrytoken: 'bearer' } } }), 'registryToken bearer');
});

test('credHelpers: the helper of the host, asked with the host on its standard input', async () => {
  assert.equal(await pair({ credHelpers: { 'helped.example': 'fake' } }, 'helped.example'), `robot ${SECRET}`);
  assert.equal(await pair({ credHelpers: { 'helped.example': 'fake' } }, 'r.example'), null);
});

test('credsStore: asked for every host, with the file for what it does not know', async () => {
  assert.equal(await pair({ credsStore: 'fake' }, 'helped.example'), `robot ${SECRET}`);
  assert.equal(await pair({ credsStore: 'fake' }, 'token.example'), 'identityToken refresh');
  assert.equal(await pair({ credsStore: 'fake' }, 'docker.io'), 'hub s');
  assert.equal(await pair({ credsStore: 'fake', auths: { 'r.example': {} } }), null);
  assert.equal(await pair({ credsStore: 'fake', auths: { 'r.example': auth('me', 'p') } }), 'me p');
});

test('credHelpers come before credsStore', async () => {
  assert.equal(
    await pair({ credsStore: 'missing', credHelpers: { 'helped.example': 'fake' } }, 'helped.example'),
    `robot ${SECRET}`,
  );
});

test('no file, an empty one or one about other things: no credentials', async () => {
  assert.equal(
    await dockerCredential({ host: 'r.example', repository: 'x' }, signal, { DOCKER_CONFIG: join(folder, 'nowhere') }),
    null,
  );
  assert.equal(
    await dockerCredential({ host: 'r.example', repository: 'x' }, signal, { HOME: join(folder, 'nowhere') }),
    null,
  );
  for (const config of [{}, { auths: null, credsStore: '' }, { psFormat: 'x', auths: {} }])
    assert.equal(await pair(config), null);
});

const refusals: [string, unknown, string, RegExp][] = [
  [
    'a file that is not JSON',
    `{"auths": {"r.example": {"password": "${SECRET}"`,
    'r.example',
    /config\.json: not JSON$/,
  ],
  [
    'a file of another shape',
    { auths: { 'r.example': SECRET } },
    'r.example',
    /config\.json: auths\.r\.example: not as docker writes it$/,
  ],
  [
    'an auth without a colon',
    { auths: { 'r.example': { auth: Buffer.from('hunter2').toString('base64') } } },
    'r.example',
    /an auth is not base64 of user:password$/,
  ],
  [
    'a helper that is not there',
    { credHelpers: { 'r.example': 'nowhere' } },
    'r.example',
    /^docker-credential-nowhere: not on PATH, but docker's config\.json names it; install it, or use --username and --password-stdin$/,
  ],
  [
    'a helper with a path for a name',
    { credsStore: '../../evil' },
    'r.example',
    /names a credential helper "\.\.\/\.\.\/evil"; that is not a name of a program$/,
  ],
  [
    'a helper that fails',
    { credsStore: 'fake' },
    'broken.example',
    /^docker-credential-fake: has failed \(exit code 1\) for broken\.example$/,
  ],
  [
    'a registrytoken with a line break',
    { auths: { 'r.example': { registrytoken: 'hunter2\r\nX: y' } } },
    'r.example',
    /config\.json: a registrytoken has characters that no token has$/,
  ],
  [
    'a helper without end',
    { credsStore: 'fake' },
    'endless.example',
    /^docker-credential-fake: has failed \(exit code null\) for endless\.example$/,
  ],
  [
    'a helper that babbles',
    { credsStore: 'fake' },
    'babbling.example',
    /^docker-credential-fake: gave an answer without Username and Secret$/,
  ],
];
for (const [name, config, host, message] of refusals) {
  test(`refuses ${name}, without repeating its content`, async () => {
    await assert.rejects(
      find(config, host),
      (error) => error instanceof OciError && message.test(error.message) && !error.message.includes('hunter2'),
    );
  });
}

test('a helper that leaves something running in the background is not waited for', async () => {
  const started = Date.now();
  assert.equal(await pair({ credsStore: 'fake' }, 'leaving.example'), 'robot s');
  assert.ok(Date.now() - started < 10_000);
});
