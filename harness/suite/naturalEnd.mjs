// Loaded into every process of a suite: a test file that calls process.exit(0) leaves out its other tests, and node counts it as
// passed. Such an end is no natural one, in which nothing is left to do, and fails here.
import { isMainThread } from 'node:worker_threads';

if (isMainThread && process.env.NODE_TEST_CONTEXT !== undefined) {
  let natural = false;
  process.on('beforeExit', () => void (natural = true));
  process.on('exit', (code) => {
    if (natural || code !== 0) return;
    process.exitCode = 1;
    process.stderr.write(`${process.argv[1]}: ends by process.exit(0) before its tests have\n`);
  });
}
