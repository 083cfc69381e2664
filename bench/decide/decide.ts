import { readFileSync } from 'node:fs';
import { counted } from '../../harness/count/counted.ts';
import { wasm } from '../../scripts/host/abi.ts';
import { currentModule } from '../../scripts/build/module.ts';
import { line, median, spread } from './fit.ts';
import { withLiftedLimit } from './liftedLimit.ts';
import { machine, print, type Report, type Row } from './report.ts';
import { measureScales } from './scales.ts';
import { exactCost, MOST_QUOTAS, openSubject } from './subject.ts';

const HELP = `npm run bench:decide [-- --quick] [--json]

Measures one decision of the module in Node.js, without Envoy: time, instructions (exact), host calls and memory, over the
number of consumers, of quotas, and of APIs, hosts, operations, subscriptions and routes.

  --quick   fewer rounds, at most 10,000 consumers: some seconds
  --json    the numbers as JSON
  --help    this help
`;

const MAX_CONFIG_BYTES = 16 * 1024 * 1024;
const QUOTA_CONSUMERS = 1000;
const BUSY_CONSUMERS = 10;
const EXACT_REQUESTS = 200;
const options = {
  full: { most: 1_000_000, rounds: 45, requests: 6000 },
  quick: { most: 10_000, rounds: 15, requests: 3000 },
};

const args = process.argv.slice(2);
const unknown = args.filter((arg) => !['--quick', '--json', '--help'].includes(arg));
if (args.includes('--help')) process.stdout.write(HELP);
else if (unknown.length > 0) {
  process.stderr.write(`bench:decide: unknown option ${unknown[0]}\n\n${HELP}`);
  process.exitCode = 2;
} else await main();

async function main(): Promise<void> {
  const { path } = await currentModule();
  const bytes = readFileSync(path);
  const report = measure(bytes, args.includes('--quick') ? options.quick : options.full);
  process.stdout.write(args.includes('--json') ? `${JSON.stringify(report, null, 2)}\n` : print(report));
}

function measure(bytes: Uint8Array, { most, rounds, requests }: (typeof options)['full']): Report {
  const lifted = withLiftedLimit(bytes);
  const module = new wasm.Module(lifted);
  const counting = new wasm.Module(counted(lifted));
  const sizes = [10, 100, 1000, 10_000, 100_000, 1_000_000].filter((size) => size <= most);
  const situations = [
    ...sizes.map((consumers) => ({ consumers, quotas: 0 })),
    ...Array.from({ length: MOST_QUOTAS }, (_, i) => ({ consumers: QUOTA_CONSUMERS, quotas: i + 1 })),
  ];
  const subjects = situations.map(({ consumers, quotas }) => openSubject(module, consumers, quotas));
  // The first round is a warm-up: V8 compiles, and leases grow to the rate.
  const times = subjects.map((): number[] => []);
  const timesOverAll = subjects.map((): number[] => []);
  for (let round = 0; round <= rounds; round++) {
    subjects.forEach((subject, i) => {
      const nanoseconds = subject.time(requests, subject.quotas > 0 ? 1 : BUSY_CONSUMERS);
      if (round > 0) times[i]!.push(nanoseconds);
      if (subject.quotas === 0) timesOverAll[i]!.push(subject.time(requests, subject.consumers));
      if (subject.host.refused > 0) throw new Error('a request was refused');
    });
  }
  const rows = subjects.map((subject, i): Row => {
    const { consumers, quotas, configBytes, configureMilliseconds, host } = subject;
    const exact = openSubject(counting, consumers, quotas);
    exact.time(requests, 1);
    return {
      consumers,
      quotas,
      configBytes,
      configureMilliseconds,
      ...exactCost(exact, EXACT_REQUESTS),
      nanoseconds: median(times[i]!),
      spread: spread(times[i]!),
      nanosecondsOverAll: quotas > 0 ? 0 : median(timesOverAll[i]!),
      memoryBytes: host.memoryBytes,
      beyondLimit: configBytes > MAX_CONFIG_BYTES,
    };
  });
  const quotas = rows.filter((row) => row.quotas > 0);
  return {
    machine: machine(),
    node: process.versions.node,
    moduleBytes: bytes.length,
    rounds,
    requestsPerRound: requests,
    consumers: rows.filter((row) => row.quotas === 0),
    quotas,
    scales: measureScales(module, counting, { rounds, requests }),
    perQuota: {
      nanoseconds: line(quotas.map((row) => [row.quotas, row.nanoseconds])),
      instructions: line(quotas.map((row) => [row.quotas, row.instructions])),
    },
  };
}
