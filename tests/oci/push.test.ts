import assert from 'node:assert/strict';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { digestOf } from '../../scripts/oci/reference.ts';
import { bundleModule, type Pushed } from '../../scripts/oci/index.ts';
import { pack } from '../../scripts/cli/pack.ts';
import { push } from '../../scripts/cli/push.ts';
import { place, stored } from '../../harness/registry/place.ts';
import { runCommand, type Run } from './runCommand.ts';
import { writeModule } from '../../harness/registry/wasmFixture.ts';

const here = await place();
const { folder, skip } = here;
const [module, other] = [writeModule(folder, 1000), writeModule(folder, 1000, 8)];

afterEach(() => {
  if (skip === false) here.proxy.fault = () => undefined;
});

function pushed(target: string, ...args: string[]): Promise<Run> {
  return runCommand(push, [target, ...args]);
}

/** Pushes, and returns the tool's output. */
async function result(target: string, ...args: string[]): Promise<Pushed> {
  const { code, out, err } = await pushed(target, '--json', ...args);
  assert.equal(code, 0, err);
  return JSON.parse(out) as Pushed;
}

for (const layout of ['image', 'artifact'] as const) {
  const kind = layout === 'artifact' ? ['--artifact'] : [];

  test(`pushes the ${layout}, prints its reference alone, and the registry has every byte`, { skip }, async () => {
    const target = here.target(`team/${layout}`);
    const bundle = await bundleModule({ layout, module });
    const { digest } = bundle.manifest.descriptor;
    const { code, out, err } = await pushed(`${target}:1.0`, ...kind, '--module', module);
    assert.deepEqual([code, out], [0, `${target}@${digest}\n`]);
    assert.match(err, /^tollgate: 2 blobs, \d+ kB uploaded; tagged 1\.0\n$/);
    const manifest = await stored(here.registry.host, `team/${layout}`, 'manifests/1.0');
    assert.deepEqual([manifest.digest, manifest.bytes], [digest, Buffer.from(bundle.manifest.bytes)]);
    for (const { descriptor } of bundle.blobs) {
      assert.equal(
        digestOf((await stored(here.registry.host, `team/${layout}`, `blobs/${descriptor.digest}`)).bytes),
        descriptor.digest,
      );
    }
  });

  test(`pushing the ${layout} again uploads nothing`, { skip }, async () => {
    const target = here.target(`again/${layout}`);
    const args = [...kind, '--sbom'];
    const first = await pushed(`${target}:1`, ...args);
    here.proxy.take();
    const second = await pushed(`${target}:1`, ...args);
    assert.equal(second.out, first.out);
    assert.equal(second.err, 'tollgate: everything was there; nothing was sent\n');
    assert.deepEqual(
      here.proxy.take().filter((line) => !/^(GET|HEAD) /.test(line)),
      [],
    );
  });
}

test('without an SBOM, pushing again is two requests', { skip }, async () => {
  await pushed(here.target('two:1'), '--module', module);
  here.proxy.take();
  await pushed(here.target('two:1'), '--module', module);
  assert.deepEqual(here.proxy.take(), ['GET /v2/', 'HEAD /v2/two/manifests/1']);
});

test('another tag for the same image sends the manifest only', { skip }, async () => {
  const target = here.target('tags');
  const first = await result(`${target}:1`, '--module', module);
  here.proxy.take();
  const second = await result(`${target}:2`, '--module', module);
  assert.deepEqual([second.digest, second.uploaded, second.moved], [first.digest, [], null]);
  assert.deepEqual(
    here.proxy.take().filter((line) => !/^(GET|HEAD) /.test(line)),
    ['PUT /v2/tags/manifests/2'],
  );
});

test('a tag that moves says from where, and the old image stays', { skip }, async () => {
  const target = here.target('moved');
  const first = await result(`${target}:1`, '--module', module);
  const second = await result(`${target}:1`, '--module', other);
  assert.equal(second.moved, first.digest);
  assert.notEqual(second.digest, first.digest);
  assert.equal((await stored(here.registry.host, 'moved', 'manifests/1')).digest, second.digest);
  assert.equal((await stored(here.registry.host, 'moved', `manifests/${first.digest}`)).status, 200);
  const back = await pushed(`${target}:1`, '--module', module);
  assert.equal(back.err, `tollgate: every blob was there; tag 1 moved from ${second.digest}\n`);
});

test('without a tag the image is there by its digest', { skip }, async () => {
  const { digest, tag } = await result(here.target('untagged'), '--module', module);
  assert.equal(tag, null);
  assert.equal((await stored(here.registry.host, 'untagged', `manifests/${digest}`)).status, 200);
  assert.equal((await stored(here.registry.host, 'untagged', 'manifests/latest')).status, 404);
});

test('a digest in the reference is a promise: another image is refused before anything is sent', { skip }, async () => {
  const { digest } = (await bundleModule({ layout: 'image', module })).manifest.descriptor;
  assert.equal((await pushed(`${here.target('promise:1')}@${digest}`, '--module', module)).code, 0);
  here.proxy.take();
  const { code, err } = await pushed(`${here.target('promise:1')}@${digest}`, '--module', other);
  assert.equal(code, 1);
  assert.match(err, new RegExp(`^the image to push is sha256:[0-9a-f]{64}; the reference says ${digest}\n$`));
  assert.deepEqual(here.proxy.take(), []);
});

test('--layout pushes what pack wrote, SBOM included', { skip }, async () => {
  const layout = join(folder, 'packed');
  const made = JSON.parse((await runCommand(pack, ['--out', layout, '--sbom', '--json'])).out) as {
    digest: string;
    referrers: string[];
  };
  const { digest, referrers } = await result(here.target('from/layout:1'), '--layout', layout);
  assert.deepEqual([digest, referrers], [made.digest, made.referrers]);
});

const listOf = async (repository: string, digest: string): Promise<{ artifactType: string; digest: string }[]> =>
  (
    JSON.parse(
      (await stored(here.registry.host, repository, `manifests/${digest.replace(':', '-')}`)).bytes.toString('utf8'),
    ) as { manifests: { artifactType: string; digest: string }[] }
  ).manifests;

test("a registry without referrers gets a list of them under the tag of the image's digest", { skip }, async () => {
  const target = here.target('listed');
  const first = await result(`${target}:1`, '--sbom');
  assert.deepEqual(
    (await listOf('listed', first.digest)).map(({ artifactType, digest }) => [artifactType, digest]),
    [['application/vnd.cyclonedx+json', first.referrers[0]]],
  );
  const manifest = JSON.parse(
    (await stored(here.registry.host, 'listed', `manifests/${first.referrers[0]}`)).bytes.toString('utf8'),
  ) as { subject: { digest: string }; layers: { digest: string }[] };
  assert.equal(manifest.subject.digest, first.digest);
  assert.equal((await stored(here.registry.host, 'listed', `blobs/${manifest.layers[0]?.digest}`)).status, 200);
  await result(`${target}:1`, '--sbom', 'spdx');
  assert.deepEqual(
    (await listOf('listed', first.digest)).map(({ artifactType }) => artifactType),
    ['application/vnd.cyclonedx+json', 'application/spdx+json'],
  );
});

test('a list of referrers that lost an entry gets it back', { skip }, async () => {
  const target = here.target('relisted');
  const { digest } = await result(`${target}:1`, '--sbom');
  const empty = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [],
  });
  await fetch(`http://${here.registry.host}/v2/relisted/manifests/${digest.replace(':', '-')}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/vnd.oci.image.index.v1+json' },
    body: empty,
  });
  assert.equal((await result(`${target}:1`, '--sbom')).changed, true);
  assert.equal((await listOf('relisted', digest)).length, 1);
});

test('a registry that knows referrers is left to keep the list', { skip }, async () => {
  const descriptors: object[] = [];
  here.proxy.fault = ({ method, path, body }) => {
    if (path.includes('/referrers/'))
      return {
        status: 200,
        headers: { 'content-type': 'application/vnd.oci.image.index.v1+json' },
        body: JSON.stringify({
          schemaVersion: 2,
          mediaType: 'application/vnd.oci.image.index.v1+json',
          manifests: descriptors,
        }),
      };
    if (method !== 'PUT' || !path.includes('/manifests/')) return undefined;
    const { subject } = JSON.parse(body.toString('utf8')) as { subject?: { digest: string } };
    if (subject === undefined) return undefined;
    descriptors.push({
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: digestOf(body),
      size: body.length,
    });
    return { replaceHeaders: { 'oci-subject': subject.digest } };
  };
  const target = here.target('modern');
  const { digest } = await result(`${target}:1`, '--sbom');
  assert.equal(descriptors.length, 1);
  assert.equal((await stored(here.registry.host, 'modern', `manifests/${digest.replace(':', '-')}`)).status, 404);
  here.proxy.take();
  assert.equal((await result(`${target}:1`, '--sbom')).changed, false);
  assert.deepEqual(
    here.proxy.take().filter((line) => !/^(GET|HEAD) /.test(line)),
    [],
  );
});

test('the tag comes last: when the SBOM cannot be pushed, the tag stays where it was', { skip }, async () => {
  const target = here.target('last');
  const before = await result(`${target}:1`, '--module', module);
  here.proxy.fault = ({ method, body }) =>
    method === 'PUT' && body.includes('"subject"')
      ? { status: 400, body: '{"errors":[{"code":"MANIFEST_INVALID","message":"no subjects here"}]}' }
      : undefined;
  const { code, out, err } = await pushed(`${target}:1`, '--sbom');
  assert.deepEqual([code, out], [1, '']);
  assert.match(
    err,
    new RegExp(`^${here.proxy.host}: manifest sha256:[0-9a-f]{64}: MANIFEST_INVALID: no subjects here \\(400\\)\n$`),
  );
  assert.equal((await stored(here.registry.host, 'last', 'manifests/1')).digest, before.digest);
});

test('a registry that leaves out Docker-Content-Digest is asked for the content instead', { skip }, async () => {
  here.proxy.fault = ({ path }) =>
    path.includes('/manifests/') ? { replaceHeaders: { 'docker-content-digest': undefined } } : undefined;
  const target = here.target('headerless');
  await result(`${target}:1`, '--module', module);
  assert.equal((await result(`${target}:1`, '--module', module)).changed, false);
});

test('wrong usage ends with 2 before anything is sent', async () => {
  const cases: [string[], RegExp][] = [
    [[], /name one place to push to/],
    [['oci://r.example/a', 'b'], /name one place to push to/],
    [['r.example/a'], /must begin with oci:\/\//],
    [['oci://r.example/a', '--username', 'me'], /--username and --password-stdin go together/],
    [['oci://r.example/a', '--password-stdin'], /--username and --password-stdin go together/],
    [['oci://r.example/a', '--username', 'me', '--password-stdin'], /standard input must hold the password/],
    [['oci://r.example/a', '--layout', 'x', '--artifact'], /--layout pushes what was packed/],
    [['oci://r.example/a', '--sbom', '--module', 'x'], /--sbom says what/],
  ];
  for (const [args, message] of cases) {
    const { code, out, err } = await runCommand(push, args);
    assert.deepEqual([code, out], [2, ''], args.join(' '));
    assert.match(err, message);
  }
});
