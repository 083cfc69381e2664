import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, beforeEach, test } from 'node:test';
import { push } from '../../scripts/cli/push.ts';
import { selfSigned } from '../../harness/registry/certificate.ts';
import { component } from '../../harness/registry/component.ts';
import { dockerLogin, place } from '../../harness/registry/place.ts';
import { succeed } from '../../harness/registry/program.ts';
import { Proxy } from '../../harness/registry/proxy.ts';
import { RealRegistry } from '../../harness/registry/realRegistry.ts';
import { runCommand, type Input, type Run } from './runCommand.ts';
import { SERVICE, TokenService } from '../../harness/registry/tokenService.ts';
import { writeModule } from '../../harness/registry/wasmFixture.ts';

const USER = 'acme';
const PASSWORD = 'hunter2:long&strange %';

const tokens: { service?: TokenService } = {};
const basic = await place(
  async (folder) => {
    const file = join(folder, 'htpasswd');
    writeFileSync(file, await succeed(component('htpasswd'), ['-Bbn', '-C', '4', USER, PASSWORD]));
    return { htpasswd: { realm: 'http://registry.test/', path: file } };
  },
  ['htpasswd', 'openssl'],
);
const { folder, skip } = basic;
const module = writeModule(folder, 1000);

const bearer: { registry?: RealRegistry; proxy?: Proxy } = {};
beforeEach(async () => {
  dockerLogin(folder, {});
  if (skip !== false || tokens.service !== undefined) return;
  tokens.service = await TokenService.start(await selfSigned(folder), USER, PASSWORD);
  bearer.registry = await RealRegistry.start(tokens.service.auth);
  bearer.proxy = await Proxy.start(bearer.registry.host);
});
afterEach(() => {
  tokens.service?.asked.splice(0);
  for (const proxy of [bearer.proxy, skip === false ? basic.proxy : undefined]) {
    proxy?.take();
    if (proxy !== undefined) proxy.fault = () => undefined;
  }
});
after(async () => {
  await bearer.proxy?.stop();
  await bearer.registry?.remove();
  await tokens.service?.stop();
});

function login(user: string, password: string): { auth: string } {
  return { auth: Buffer.from(`${user}:${password}`).toString('base64') };
}

async function pushed(target: string, args: string[] = [], input: Input = {}): Promise<Run> {
  const run = await runCommand(push, [target, '--module', module, ...args], input);
  // in any case, no output may contain a secret, in plain or in its encoded form
  for (const secret of [PASSWORD, 'wrong-password', login(USER, PASSWORD).auth, login(USER, 'wrong-password').auth])
    assert.ok(!(run.out + run.err).includes(secret), run.err);
  return run;
}

const typed = ['--username', USER, '--password-stdin'];
const hostOf = (which: 'basic' | 'bearer'): string =>
  which === 'basic' ? basic.proxy.host : (bearer.proxy?.host ?? '');

for (const which of ['basic', 'bearer'] as const) {
  test(`${which}: credentials of docker's config.json`, { skip }, async () => {
    dockerLogin(folder, { auths: { [hostOf(which)]: login(USER, PASSWORD) } });
    const { code, out, err } = await pushed(`oci://${hostOf(which)}/private/docker:1`);
    assert.equal(code, 0, err);
    assert.match(out, new RegExp(`^oci://${hostOf(which)}/private/docker@sha256:[0-9a-f]{64}\n$`));
  });

  test(`${which}: --username and --password-stdin, before docker's`, { skip }, async () => {
    dockerLogin(folder, { auths: { [hostOf(which)]: login(USER, 'wrong-password') } });
    for (const end of ['', '\n', '\r\n'])
      assert.equal((await pushed(`oci://${hostOf(which)}/private/typed:1`, typed, { stdin: PASSWORD + end })).code, 0);
  });

  test(`${which}: a wrong password is named by where it came from`, { skip }, async () => {
    const given = await pushed(`oci://${hostOf(which)}/private/wrong:1`, typed, { stdin: 'wrong-password' });
    assert.deepEqual([given.code, given.out], [1, '']);
    assert.match(
      given.err,
      new RegExp(
        `^${hostOf(which)}: .*UNAUTHORIZED: .* \\(401\\); the credentials from --username and --password-stdin were not accepted\n$`,
      ),
    );
    dockerLogin(folder, { auths: { [hostOf(which)]: login(USER, 'wrong-password') } });
    assert.match(
      (await pushed(`oci://${hostOf(which)}/private/wrong:1`)).err,
      /; the credentials from \S+config\.json were not accepted\n$/,
    );
  });

  test(`${which}: without credentials the way to give them is named`, { skip }, async () => {
    const { code, err } = await pushed(`oci://${hostOf(which)}/private/none:1`);
    assert.equal(code, 1);
    assert.match(
      err,
      new RegExp(
        `${hostOf(which)} wants credentials and there are none for it; use docker login, or --username and --password-stdin\n$`,
      ),
    );
  });
}

test('basic: the first request carries no credentials, and all others do', { skip }, async () => {
  await pushed(`oci://${basic.proxy.host}/private/seen:1`, typed, { stdin: PASSWORD });
  const [first, ...rest] = basic.proxy.seen.map(({ headers }) => headers.authorization);
  assert.equal(first, undefined);
  assert.deepEqual([...new Set(rest)], [`Basic ${login(USER, PASSWORD).auth}`]);
});

test('bearer: one token for one repository, and the registry never sees the password', { skip }, async () => {
  await pushed(`oci://${hostOf('bearer')}/private/scoped:1`, typed, { stdin: PASSWORD });
  const asked = tokens.service?.asked ?? [];
  assert.equal(asked.length, 1);
  assert.deepEqual(asked[0]?.fields.getAll('scope'), ['repository:private/scoped:pull,push']);
  assert.equal(asked[0]?.fields.get('service'), SERVICE);
  for (const { headers } of bearer.proxy?.seen.slice(1) ?? []) assert.match(headers.authorization ?? '', /^Bearer /);
});

test('bearer: a token that has expired is replaced', { skip }, async () => {
  if (tokens.service !== undefined) tokens.service.lifetimes = [-300];
  const { code, err } = await pushed(`oci://${hostOf('bearer')}/private/expired:1`, typed, { stdin: PASSWORD });
  assert.equal(code, 0, err);
  assert.equal(tokens.service?.asked.length, 2);
});

test('bearer: an identity token is traded for one', { skip }, async () => {
  dockerLogin(folder, { auths: { [hostOf('bearer')]: { identitytoken: PASSWORD } } });
  const { code, err } = await pushed(`oci://${hostOf('bearer')}/private/identity:1`);
  assert.equal(code, 0, err);
  const [asked] = tokens.service?.asked ?? [];
  assert.deepEqual(
    [asked?.method, asked?.fields.get('grant_type'), asked?.authorization],
    ['POST', 'refresh_token', undefined],
  );
});

test('bearer: a busy token service is asked again', { skip }, async () => {
  const front = await Proxy.start(new URL(tokens.service?.realm ?? '').host);
  const challenge = `Bearer realm="http://${front.host}/token",service="${SERVICE}",scope="x"`;
  if (bearer.proxy !== undefined)
    bearer.proxy.fault = ({ path, headers }) =>
      path === '/v2/' && headers.authorization === undefined
        ? { status: 401, headers: { 'www-authenticate': challenge } }
        : undefined;
  front.failing(2, () => true, { status: 503, headers: { 'retry-after': '0' } });
  try {
    assert.equal((await pushed(`oci://${hostOf('bearer')}/private/busy:1`, typed, { stdin: PASSWORD })).code, 0);
    assert.equal(front.seen.length, 3);
  } finally {
    await front.stop();
  }
});

const challenges: [string, string, RegExp][] = [
  ['an authentication of another kind', 'Negotiate', /wants an authentication that is neither Basic nor Bearer/],
  ['no challenge at all', '', /wants an authentication that is neither Basic nor Bearer/],
  ['a token service that is no address', 'Bearer realm="nowhere"', /names a token service that is not an address/],
  [
    'a token service that is a file',
    'Bearer realm="file:///etc/passwd"',
    /names a token service that is not an address/,
  ],
];
for (const [name, challenge, message] of challenges) {
  test(`refuses ${name}`, { skip }, async () => {
    basic.proxy.fault = () => ({ status: 401, headers: challenge === '' ? {} : { 'www-authenticate': challenge } });
    const { code, err } = await pushed(`oci://${basic.proxy.host}/private/odd:1`, typed, { stdin: PASSWORD });
    assert.equal(code, 1);
    assert.match(err, message);
  });
}

test("what is denied is said in the registry's own words", { skip }, async () => {
  basic.proxy.fault = ({ method }) =>
    method === 'POST'
      ? {
          status: 403,
          body: '{"errors":[{"code":"DENIED","message":"requested access to the resource\\u001b[31m is denied"}]}',
        }
      : undefined;
  const { code, err } = await pushed(`oci://${basic.proxy.host}/private/denied:1`, typed, { stdin: PASSWORD });
  assert.equal(code, 1);
  assert.equal(
    err,
    `${basic.proxy.host}: start of an upload: DENIED: requested access to the resource [31m is denied (403); the credentials from --username and --password-stdin were not accepted\n`,
  );
});
