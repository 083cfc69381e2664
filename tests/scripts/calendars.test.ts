import assert from 'node:assert/strict';
import { join } from 'node:path';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { configDifferences, printDifference } from '../../scripts/diff/index.ts';
import { compilePolicy, readPolicy, type Policy } from '../../scripts/policy/index.ts';
import { scratchFolder } from '../../harness/scratch.ts';
import { tollgate } from './fakeIo.ts';

const folder = scratchFolder();

function textWith(calendar: string, consumers = '{ acme: { plan: free } }'): string {
  return `
policy: shop
upstreams: { v1: { url: "http://127.0.0.1:9001", service: { host: pets.shop.svc.cluster.local, port: 80 } } }
targets: [{ gateway: { namespace: istio-system, selector: { istio: ingressgateway }, gateways: [istio-system/ingress] } }]
apis: { pets: { hosts: [api.example.com], paths: [/v1], plans: [free], upstream: v1 } }
plans: { free: { quotas: { monthly: { limit: 10, window: month, scope: envoy }, hourly: { limit: 5, window: hour } }${calendar} } }
consumers: ${consumers}
`;
}

function policyOf(text: string): Policy {
  const { policy, problems } = readPolicy(text, 'p');
  assert.deepEqual(problems, []);
  return policy!;
}

function written(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

const secondsOf = (time: string): number => Date.parse(time) / 1000;
const BERLIN = ', calendar: { zone: Europe/Berlin, monthBegins: 15 }';

describe('diff', () => {
  const told = (before: string, after: string, at = ['2026-05-01T00:00:00Z', '2026-05-01T00:00:00Z']): string[] =>
    configDifferences(
      compilePolicy(policyOf(before), secondsOf(at[0]!)),
      compilePolicy(policyOf(after), secondsOf(at[1]!)),
    ).map(printDifference);

  it('says where the windows of a plan and of a consumer begin', () => {
    assert.deepEqual(told(textWith(''), textWith(BERLIN)), [
      'plan free: calendar in UTC → Europe/Berlin, months from 15: windows that are open go on until their end',
    ]);
    const tokyo =
      '{ acme: { plan: free, calendar: { zone: Asia/Tokyo, dayBegins: "06:00", weekBegins: sunday, yearBegins: "04-01" } } }';
    assert.deepEqual(told(textWith(BERLIN), textWith(BERLIN, tokyo)), [
      "consumer acme: calendar its plans' → Asia/Tokyo, days from 06:00, weeks from Sunday, years from 04-01: windows that are open go on until their end",
    ]);
  });

  it('says until when zones are known, where that differs, and nothing else of them', () => {
    assert.deepEqual(told(textWith(BERLIN), textWith(BERLIN), ['2026-05-01T00:00:00Z', '2027-02-01T00:00:00Z']), [
      'zone Europe/Berlin: known until 2031-01-01 (was: 2030-01-01)',
    ]);
    assert.deepEqual(told(textWith(BERLIN), textWith(BERLIN), ['2026-01-01T00:00:00Z', '2026-12-31T23:59:59Z']), []);
  });
});

describe('explain', () => {
  it("says when a window ends on the clock of the calendar's zone", async () => {
    const key = 'acme-secret-key';
    const { createHash } = await import('node:crypto');
    const digest = createHash('sha256').update(key).digest('hex');
    const file = written(
      'p.yaml',
      textWith(BERLIN, `{ acme: { plan: free, keys: [{ id: a, digest: "sha256:${digest}" }] } }`),
    );
    const args = [
      'explain',
      file,
      '--request',
      'https://api.example.com/v1',
      '--header',
      `x-api-key: ${key}`,
      '--at',
      '2026-05-20T10:00:00Z',
    ];
    const { quotas } = JSON.parse((await tollgate([...args, '--json'])).out) as {
      quotas: { name: string; resetsAt?: string }[];
    };
    assert.deepEqual(
      quotas.map(({ name, resetsAt }) => [name, resetsAt]),
      [
        ['hourly', '2026-05-20 13:00:00 Europe/Berlin'],
        ['monthly', '2026-06-15 00:00:00 Europe/Berlin'],
      ],
    );
    assert.match((await tollgate(args)).out, /resets in .*\(2026-06-15 00:00:00 Europe\/Berlin\)/);
  });
});

describe('emit --at', () => {
  it('writes the same in every year, and without it the years that come', async () => {
    const file = written('at.yaml', textWith(BERLIN));
    const image = `oci://registry.example/tollgate@sha256:${'ab'.repeat(32)}`;
    const emitted = async (name: string, ...more: string[]): Promise<string> => {
      const out = join(folder, name);
      const { code, err } = await tollgate(['emit', file, '--image', image, '--out', out, ...more]);
      assert.equal(code, 0, err);
      return readdirSync(out)
        .sort()
        .map((one) => readFileSync(join(out, one), 'utf8'))
        .join('');
    };
    const old = await emitted('old', '--at', '2020-03-04T05:06:07Z');
    const { err: warned } = await tollgate([
      'emit',
      file,
      '--image',
      image,
      '--out',
      '-',
      '--at',
      '2020-03-04T05:06:07Z',
    ]);
    assert.match(
      warned,
      /^tollgate: warning: the config knows when clocks change until 2024-01-01, which is over \(Europe\/Berlin\); .*; emit without --at and SOURCE_DATE_EPOCH, or with a later time$/m,
    );
    assert.doesNotMatch(
      (await tollgate(['emit', file, '--image', image, '--out', '-'])).err,
      /knows when clocks change/,
    );
    assert.match(old, /until: ?"?1704067200/);
    assert.equal(await emitted('again', '--at', '2020-12-31T00:00:00Z'), old);
    assert.notEqual(await emitted('now'), old);
    const bad = await tollgate(['emit', file, '--image', image, '--out', join(folder, 'bad'), '--at', 'soon']);
    assert.deepEqual(
      [bad.code, bad.err.split('\n')[0]],
      [
        2,
        'tollgate emit: --at must be a time such as 2026-01-31T00:00:00Z, from 1970 to 2199; see tollgate emit --help',
      ],
    );
  });
});
