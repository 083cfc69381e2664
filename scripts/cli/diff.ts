import { parseArgs, styleText } from 'node:util';
import { UsageError, type Command, type Io } from './command.ts';
import { kubectl } from '../cluster/kubectl.ts';
import { configDifferences, counted, policiesDifferences, printDifference, type Difference } from '../diff/index.ts';
import { printDrift, type Drift } from '../diff/drift.ts';
import { liveDrift } from '../diff/live.ts';
import { rolledOut } from '../diff/resource.ts';
import { isReadTwice, openPolicy } from '../file/openPolicy.ts';
import { compiledAt, compilePolicy, type Policy } from '../policy/index.ts';

const usage = `tollgate diff: says what a change of a policy means, before it is committed

usage: tollgate diff OLD NEW [--json] [--exit-code]
       tollgate diff --resource FILE NEW [--json] [--exit-code]
       tollgate diff --live DIR [--context NAME] [--json] [--exit-code]

  OLD, NEW          policies, each a file or a folder; - reads one of them from standard input
  --resource FILE   compares with what is rolled out: a file that "tollgate emit" made, or what "kubectl get -o yaml" prints;
                    - reads it from standard input
  --live DIR        asks the cluster, through kubectl, whether it holds what "tollgate emit" wrote to DIR and nothing else: fields
                    that somebody patched stay through "kubectl apply --server-side", and "kubectl diff" does not show them.
                    Changes nothing; needs the right to update the objects, because it has the API server try that
  --context NAME    the kubeconfig's context for --live; default: the current one
  --json            prints { differences, widens } instead, each with subject, text, effects and consumers
  --exit-code       exit code 1 when there are differences

Every difference is a line: per API, plan, quota and consumer, and not per line of the file. Marked are those that let more
pass (widens access) or less (narrows access), and those that make counters start anew.

  plan free: monthly 10,000 → 5,000 for 3 consumers (acme, globex, initech) [narrows access]

Exit code: 0 whether or not there are differences, 1 a policy has problems.

examples:
  tollgate diff petstore.policy.yaml petstore.next.yaml
  git show main:petstore.policy.yaml | tollgate diff - petstore.policy.yaml
  tollgate diff main/policies policies
  tollgate diff --live wasmplugins/petstore --exit-code
  tollgate diff --resource wasmplugins/3-wasmplugin.shop.tollgate-petstore-sidecars.yaml petstore.policy.yaml
  kubectl get wasmplugins -A -o yaml | tollgate diff --resource - petstore.policy.yaml`;

export const diff: Command = {
  usage,
  run: async (args, io) => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        resource: { type: 'string' },
        live: { type: 'string' },
        context: { type: 'string' },
        json: { type: 'boolean', default: false },
        'exit-code': { type: 'boolean', default: false },
      },
    });
    if (values.live !== undefined) {
      if (positionals.length > 0 || values.resource !== undefined)
        throw new UsageError('--live takes a DIR and no policy');
      return live(await liveDrift(values.live, kubectl({ context: values.context, signal: io.signal })), values, io);
    }
    if (values.context !== undefined) throw new UsageError('--context goes with --live');
    const differences = await compare(values.resource, positionals, io);
    if (values.json) io.out(`${JSON.stringify({ differences, widens: differences.some(isWidening) }, null, 2)}\n`);
    else print(differences, io);
    return values['exit-code'] && differences.length > 0 ? 1 : 0;
  },
};

function live(drifts: readonly Drift[], options: { json: boolean; 'exit-code': boolean }, io: Io): number {
  if (options.json) io.out(`${JSON.stringify({ drifts }, null, 2)}\n`);
  else
    io.out(
      drifts.length === 0
        ? 'the cluster holds what the files say\n'
        : drifts.map((drift) => `${printDrift(drift)}\n`).join(''),
    );
  return options['exit-code'] && drifts.length > 0 ? 1 : 0;
}

async function compare(resource: string | undefined, files: readonly string[], io: Io): Promise<Difference[]> {
  if (resource !== undefined) {
    if (files.length !== 1) throw new UsageError(`takes one policy beside --resource; found ${files.length}`);
    if (isReadTwice([resource, ...files]))
      throw new UsageError('standard input can be the resource or the policy, not both');
    const policy = await valid(files[0]!, io);
    const old = await rolledOut(resource, policy.policy, io.stdin);
    // a year that has passed since is no difference
    return configDifferences(old, compilePolicy(policy, compiledAt(old)));
  }
  if (files.length !== 2) throw new UsageError(`takes two policies, OLD and NEW; found ${files.length}`);
  if (isReadTwice(files)) throw new UsageError('standard input can be one of the two policies');
  return policiesDifferences(await valid(files[0]!, io), await valid(files[1]!, io));
}

async function valid(file: string, io: Io): Promise<Policy> {
  return (await openPolicy(file, io.stdin)).policy;
}

function isWidening({ effects }: Difference): boolean {
  return effects.includes('widens');
}

function print(differences: readonly Difference[], io: Io): void {
  for (const difference of differences) {
    const line = printDifference(difference);
    io.out(`${io.isTerminal && isWidening(difference) ? styleText('yellow', line) : line}\n`);
  }
  const widening = differences.filter(isWidening).length;
  io.out(
    differences.length === 0
      ? 'no differences\n'
      : `${counted(differences.length, 'difference')}${widening > 0 ? `, ${widening} of them widen${widening === 1 ? 's' : ''} access` : ''}\n`,
  );
}
