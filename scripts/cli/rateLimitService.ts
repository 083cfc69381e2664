import { parseArgs } from 'node:util';
import { Refusal, UsageError, type Command, printTo } from './command.ts';
import { serviceConfigOf, serviceConfigText } from '../rateLimitService/serviceConfig.ts';
import { openPolicy } from '../file/openPolicy.ts';
import { printWarnings } from '../policy/index.ts';

const usage = `tollgate rate-limit-service: prints the configuration of the rate limit service that counts a policy's mesh-wide quotas

usage: tollgate rate-limit-service POLICY [-o FILE]

  POLICY            a policy file; - reads standard input
  -o, --out FILE    write into FILE, whole or not at all; - (default) prints

For envoyproxy/ratelimit: one file of its folder of configurations. "tollgate emit" puts the same text into a ConfigMap, where
the policy's rate limit service is a service of Kubernetes. There is nothing secret in it; it names consumers that have limits
of their own.
The same policy always gives the same bytes.
Exit code: 0 done, 1 the policy has problems, or no quota with "scope: mesh".

examples:
  tollgate rate-limit-service petstore.policy.yaml -o ratelimit/config/petstore.yaml
  tollgate rate-limit-service petstore.policy.yaml | diff - ratelimit/config/petstore.yaml

How to run the service, and what a restart of its Redis costs: examples/ratelimit/README.md.`;

export const rateLimitService: Command = {
  usage,
  run: async (args, io) => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { out: { type: 'string', short: 'o' } },
    });
    const [file] = positionals;
    if (file === undefined || positionals.length > 1)
      throw new UsageError(`takes one POLICY; found ${positionals.length}`);
    const opened = await openPolicy(file, io.stdin);
    const { policy, name } = opened;
    for (const line of printWarnings(opened)) io.err(`${line}\n`);
    const config = serviceConfigOf(policy);
    if (config === null)
      throw new Refusal(`${name}: plans: must hold a quota with "scope: mesh": without one there is nothing to count`);
    await printTo(values.out, serviceConfigText(config, policy.policy), io);
    return 0;
  },
};
