import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { format, resolveConfig } from 'prettier';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { passes, REASONS } from '../cases/reason.ts';
import { type WasmMemory, wasm } from '../../scripts/host/abi.ts';
import { loadFilter } from './filterModule.ts';

interface Row {
  readonly code: string;
  readonly status: number;
  readonly grpcStatus: number;
  readonly title: string;
  readonly detail: string;
  readonly responseCodeDetails: string;
  readonly allowed: boolean;
}

/** The module's own table of reasons: what replies, metrics, logs and the documentation go by. */
function readRows(): Row[] {
  const env = { abort: () => assert.fail('the filter aborted') };
  const guest = new wasm.Instance(loadFilter(), { env, test: { property: () => -1 } }).exports as unknown as {
    memory: WasmMemory;
    reasonRow(index: number): number;
    resultPtr(): number;
    resultLen(): number;
  };
  const rows: Row[] = [];
  while (guest.reasonRow(rows.length) === 1) {
    rows.push(
      JSON.parse(Buffer.from(guest.memory.buffer, guest.resultPtr(), guest.resultLen()).toString('utf8')) as Row,
    );
  }
  return rows;
}

/** Statuses that the policy gives. */
const OF_POLICY: Readonly<Record<string, string>> = { redirected: '301 to 308', mocked: 'any' };

function page(rows: Row[]): string {
  const lines = rows.map(
    (row) =>
      `| \`${row.code}\` | ${row.allowed ? 'passes' : (OF_POLICY[row.code] ?? row.status)} | ${row.allowed ? '' : row.grpcStatus} | ${row.detail} |`,
  );
  return `# Reasons

Why a request was let through or refused. The codes are stable: they stand in \`reason\` of a reply, in access logs
(\`%FILTER_STATE(wasm.tollgate:PLAIN)%\`), as label \`reason\` of [\`tollgate_requests_total\`](metrics.md) and, as \`tollgate_<code>\`, in Envoy's
response code details. This page is made from the module's own table: \`UPDATE_GOLDEN=1 npm test filter\`.

| reason | HTTP | gRPC | |
|---|---|---|---|
${lines.join('\n')}
`;
}

test('every reason has a row, and the statuses that callers rely on', () => {
  const rows = readRows();
  assert.deepEqual(
    rows.map((row) => row.code),
    Object.keys(REASONS),
  );
  for (const row of rows) {
    assert.deepEqual(
      { status: row.status, grpcStatus: row.grpcStatus },
      REASONS[row.code as keyof typeof REASONS],
      row.code,
    );
    assert.equal(row.responseCodeDetails, `tollgate_${row.code}`);
    assert.match(row.code, /^[a-z]+(_[a-z]+)*$/);
    assert.match(row.detail, /^[A-Z].*\.$/, row.code);
    assert.equal(row.allowed, passes(row.code), row.code);
    // Replies are made by joining strings: none may need escaping.
    assert.doesNotMatch(row.title + row.detail, /["\\]/, row.code);
  }
});

test('docs/reasons.md is what the module says', async () => {
  const file = inPackage('docs', 'reasons.md');
  const expected = await format(page(readRows()), { ...(await resolveConfig(file)), parser: 'markdown' });
  if (process.env['UPDATE_GOLDEN'] === '1') await writeFile(file, expected);
  assert.equal(await readFile(file, 'utf8'), expected);
});
