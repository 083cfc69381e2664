import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { nodeOf, VERSIONS } from './node.ts';
import { about, packed } from './packed.ts';
import { Stranger } from './stranger.ts';

const POLICY = 'petstore.policy.yaml';
const IMAGE = `oci://registry.example/tollgate@sha256:${'0'.repeat(64)}`;
const stranger = Stranger.arrive(packed());
after(() => stranger.leave());
stranger.puts(POLICY, readFileSync(inPackage('examples', POLICY)));
stranger.puts('shop.yaml', `${readFileSync(inPackage('examples', POLICY), 'utf8')}\ntargets: [{ namespace: shop }]\n`);

for (const version of VERSIONS) {
  const node = nodeOf(version);
  if (node === null && process.env['CI'] === 'true') throw new Error(`Node.js ${version} could not be had`);
  test(`on Node.js ${version} the commands behave as on this one`, { skip: node === null && 'not here' }, async (t) => {
    if (node === null) return;
    const program = stranger.takes(node, `node-${version}`);
    const done = async (...args: string[]): Promise<string> => {
      const { code, out, err } = await stranger.tollgate(args, { node: program });
      assert.equal(code, 0, `${args.join(' ')}: ${err}`);
      assert.doesNotMatch(err, /Warning/);
      return out;
    };
    const here = async (...args: string[]): Promise<string> => (await stranger.tollgate(args)).out;
    assert.equal(await done('--version'), `tollgate ${about.version}\n`);
    for (const args of [
      ['--help'],
      ['check', POLICY],
      ['compile', POLICY],
      ['schema'],
      ['run', POLICY, '--print-bootstrap'],
    ])
      assert.equal(await done(...args), await here(...args));
    assert.match(await done('keys', 'issue', '--consumer', 'acme', POLICY), /^tg_\w+\n$/);
    await done('emit', 'shop.yaml', '--image', IMAGE, '--out', `resources-${version}`);
    const packedHere = JSON.parse(await here('pack', '--json', '--out', `here-${version}`)) as { digest: string };
    const packedThere = JSON.parse(await done('pack', '--json', '--out', `there-${version}`)) as { digest: string };
    // the bytes of an image come from zlib, which Node brings along
    t.diagnostic(
      packedThere.digest === packedHere.digest ? 'the same image' : 'an image of other bytes, by another zlib',
    );
  });
}
