import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import { record } from '../../harness/recording/record.ts';
import { PICTURE, terminal } from '../../harness/recording/terminal.ts';
import { NEWEST_WHEEL } from '../../scripts/envoy/find.ts';

const found = await available();
/** The picture names the Envoy that it shows. */
const other =
  found.skip === false && found.envoy.version !== NEWEST_WHEEL ? 'the recording shows another Envoy' : false;

describe('the recording in README.md', { skip: found.skip || other }, () => {
  it('shows what the commands print', async (context) => {
    const played = await record();
    if (played === null) return context.skip('no clock that can be set here');
    assert.equal(await readFile(PICTURE, 'utf8'), terminal(played), 'npm run record makes it anew');
  });

  it('has a key nowhere, and stays small', async () => {
    const picture = await readFile(PICTURE, 'utf8');
    assert.doesNotMatch(picture, /tg_/);
    assert.ok(picture.length < 60_000, `${picture.length} bytes`);
  });
});
