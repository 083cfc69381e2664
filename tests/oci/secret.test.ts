import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Credential, givenCredential } from '../../scripts/oci/credentials.ts';
import { scratchFolder } from '../../harness/scratch.ts';
import {
  BASIC,
  behaving,
  IDENTITY,
  ME,
  names,
  outcome,
  PASSWORD,
  unseen,
  type Behaviour,
  type Heard,
} from '../../harness/registry/hostile.ts';
import { writeModule } from '../../harness/registry/wasmFixture.ts';

const folder = scratchFolder();
const bundle = await unseen((fill) => writeModule(folder, 1000, fill));
const SECRETS = [
  PASSWORD,
  BASIC.slice(6),
  'refresh-token-of-mine',
  new URLSearchParams({ p: PASSWORD }).toString().slice(2),
];

/** Everything that a server received, as one string to search for secrets. */
function everything(heard: readonly Heard[]): string {
  return JSON.stringify(heard);
}

function holdsNoSecret(text: string): void {
  for (const secret of SECRETS) assert.ok(!text.includes(secret), text);
}

/** A registry that requires a token from `realm`, and has no content for clients with one. */
function wanting(realm: string): Behaviour {
  return ({ authorization }, response) => {
    if (authorization === undefined)
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="s"` }).end();
    else response.writeHead(403).end();
  };
}

const giveToken: Behaviour = (_heard, response) =>
  void response.writeHead(200, { 'content-type': 'application/json' }).end('{"token":"given"}');

const credentials: [string, Credential][] = [
  ['an identity token', IDENTITY],
  ['a user and password', ME],
];
for (const [name, credential] of credentials) {
  for (const status of [301, 302, 303, 307, 308]) {
    test(`${name} does not follow a token service's ${status} to another origin`, async () => {
      await behaving(giveToken, (thief, stolen) =>
        behaving(
          (_heard, response) => void response.writeHead(status, { location: `http://${thief}/token` }).end(),
          (service) =>
            behaving(wanting(`http://${service}/token`), async (registry) => {
              const { error } = await outcome(`oci://${registry}/x:1`, bundle, credential);
              // clients differ in what they do with the body at 301 to 303, so these are refused whatever their target
              assert.match(
                error,
                name === 'an identity token' && status < 307
                  ? /redirects in a way that cannot be followed/
                  : new RegExp(`^${service}: redirects a request with credentials to ${thief}; that is refused$`),
              );
              assert.deepEqual(stolen, []);
            }),
        ),
      );
    });
  }

  test(`${name} follows a redirect within the token service`, async () => {
    const service: Behaviour = (heard, response, request) => {
      if (heard.url.startsWith('/token')) response.writeHead(307, { location: `/moved${heard.url.slice(6)}` }).end();
      else giveToken(heard, response, request);
    };
    await behaving(service, (host, heard) =>
      behaving(wanting(`http://${host}/token`), async (registry, asked) => {
        await outcome(`oci://${registry}/x:1`, bundle, credential);
        assert.deepEqual(
          heard.slice(0, 2).map(({ url }) => url.replace(/\?.*/, '')),
          ['/token', '/moved'],
        );
        assert.ok(asked.some(({ authorization }) => authorization === 'Bearer given'));
        holdsNoSecret(everything(asked));
      }),
    );
  });

  test(`${name} goes to no token service that is not the registry's own, until the user says so`, async () => {
    const resolve = names({ 'registry.example.com': '127.0.0.1', 'tokens.example.net': '127.0.0.1' });
    await behaving(giveToken, (service, heard) => {
      const [, port] = service.split(':');
      return behaving(wanting(`http://tokens.example.net:${port}/token`), async (registry) => {
        const target = `oci://registry.example.com:${registry.split(':')[1]}/x:1`;
        const { error } = await outcome(target, bundle, credential, { plainHttp: true, resolve });
        assert.match(
          error,
          /^registry\.example\.com:\d+: wants credentials sent to tokens\.example\.net:\d+, which is not known to be its own; if it is, say --allow-host tokens\.example\.net$/,
        );
        assert.deepEqual(heard, []);
        await outcome(target, bundle, credential, { plainHttp: true, resolve, allowedHosts: ['tokens.example.net'] });
        assert.ok(heard.length > 0);
      });
    });
  });
}

test('without credentials a token service elsewhere is asked, with none', async () => {
  const resolve = names({ 'registry.example.com': '127.0.0.1', 'tokens.example.net': '127.0.0.1' });
  await behaving(giveToken, (service, heard) =>
    behaving(wanting(`http://tokens.example.net:${service.split(':')[1]}/token`), async (registry, asked) => {
      await outcome(`oci://registry.example.com:${registry.split(':')[1]}/x:1`, bundle, null, {
        plainHttp: true,
        resolve,
      });
      assert.ok(
        heard.length > 0 && heard.every(({ authorization, body }) => authorization === undefined && body === ''),
      );
      assert.ok(asked.some(({ authorization }) => authorization === 'Bearer given'));
    }),
  );
});

for (const realm of [
  'http://203.0.113.7/token',
  'http://8.8.8.8/token',
  'http://10.0.0.1/token',
  'http://169.254.169.254/token',
  'http://tokens.example.com/token',
  'http://localhost.example.com/token',
]) {
  test(`a loopback registry, taken for http, may not name ${realm}`, async () => {
    const resolve = names({ 'tokens.example.com': '8.8.8.8', 'localhost.example.com': '8.8.4.4' });
    await behaving(wanting(realm), async (registry) => {
      for (const credential of [null, ME, IDENTITY]) {
        const { error, notes } = await outcome(`oci://${registry}/x:1`, bundle, credential, { resolve });
        assert.match(
          error,
          credential === null ? /sends over plain http to/ : /wants credentials sent to|sends over plain http to/,
        );
        assert.deepEqual(notes, [], 'nothing is tried again');
      }
    });
  });
}

test('a realm with a user in it is refused', async () => {
  await behaving(giveToken, (service, heard) =>
    behaving(wanting(`http://root:toor@${service}/token`), async (registry) => {
      assert.match(
        (await outcome(`oci://${registry}/x:1`, bundle, ME)).error,
        /with a user or password in the address; that is refused$/,
      );
      assert.deepEqual(heard, []);
    }),
  );
});

test('credentials dropped at a redirect do not return with the next one', async () => {
  const state = { registry: '', elsewhere: '' };
  await behaving(
    (_heard, response) =>
      void response.writeHead(307, { location: `http://${state.registry}/admin/delete-everything` }).end(),
    (elsewhere) =>
      behaving(
        ({ authorization, url }, response) => {
          if (url.startsWith('/admin')) response.writeHead(200).end();
          else if (authorization === undefined)
            response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
          else response.writeHead(307, { location: `http://${elsewhere}/` }).end();
        },
        async (registry, heard) => {
          state.registry = registry;
          await outcome(`oci://${registry}/x:1`, bundle, ME);
          const admin = heard.filter(({ url }) => url.startsWith('/admin'));
          assert.ok(admin.length > 0);
          assert.deepEqual(
            admin.filter(({ authorization }) => authorization !== undefined),
            [],
          );
        },
      ),
  );
});

test('an upload address with a user or password is not used, and not repeated', async () => {
  await behaving(
    ({ method, url }, response) =>
      void response
        .writeHead(method === 'POST' ? 202 : url === '/v2/' ? 200 : 404, {
          location: 'http://root:hunter3@127.0.0.1:1/up',
        })
        .end(),
    async (registry) => {
      const { error } = await outcome(`oci://${registry}/x:1`, bundle, null);
      assert.match(error, /with a user or password in the address; that is refused$/);
      assert.ok(!error.includes('hunter3'));
    },
  );
});

/** Ways in which a server can repeat a password: as it is, escaped, encoded, and where a message is cut. */
const echoes: [string, string][] = [
  ['as it is', PASSWORD],
  ['in a URL', encodeURIComponent(PASSWORD)],
  ['in a form', new URLSearchParams({ p: PASSWORD }).toString()],
  ['in base64', Buffer.from(PASSWORD).toString('base64')],
  ['in base64 for URLs', Buffer.from(`me:${PASSWORD}`).toString('base64url')],
  ['as it was sent', BASIC],
  ...[280, 290, 295, 299].map((at): [string, string] => [`cut at ${300 - at}`, `${'.'.repeat(at)}${PASSWORD}`]),
];
for (const [name, echo] of echoes) {
  for (const json of [true, false]) {
    test(`a server that repeats a password ${name} (${json ? 'JSON' : 'text'}) is not repeated`, async () => {
      await behaving(
        ({ authorization }, response) => {
          if (authorization === undefined) response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
          else response.writeHead(400).end(json ? JSON.stringify({ errors: [{ code: 'NO', message: echo }] }) : echo);
        },
        async (registry) => {
          const { error } = await outcome(`oci://${registry}/x:1`, bundle, ME);
          assert.match(error, /\(400\)$/);
          for (const part of ['hunter2', 'aHVudGVyM', 'h1bnRlcj', 'odW50ZX']) assert.ok(!error.includes(part), error);
        },
      );
    });
  }
}

test('a password that is only found in pieces is not shown in pieces', async () => {
  const long = 'k'.repeat(500);
  await behaving(
    ({ authorization }, response) => {
      if (authorization === undefined) response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      else response.writeHead(400).end(long);
    },
    async (registry) => {
      assert.equal(
        (await outcome(`oci://${registry}/x:1`, bundle, givenCredential('me', long))).error,
        `${registry}: look-up of 1: *** (400)`,
      );
    },
  );
});
