import { randomBytes } from 'node:crypto';
import { link, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Command, printTo, Refusal, UsageError } from './command.ts';
import { packageJson, schemaUrl } from '../file/packageJson.ts';
import { writeRule } from '../file/replaceFile.ts';
import { NAME } from '../policy/index.ts';
import { visibleName } from '../policy/secret.ts';

const DEFAULT_FILE = 'policy.yaml';
const DEFAULT_NAME = 'petstore';

const usage = `tollgate init: writes a small policy to begin with

usage: tollgate init [FILE] [--force]
       tollgate init --openapi DOCUMENT [FILE] [OPTION…]

  FILE                the policy to write (default: ${DEFAULT_FILE}; with --openapi it is printed); - prints it
  --force             replaces FILE if it exists
  --openapi DOCUMENT  makes the policy of an OpenAPI document (3.0, 3.1, 3.2 or Swagger 2.0, JSON or YAML); - is standard input
  --root DIR          files that "$ref" of the document names lie below this folder (default: the folder of DOCUMENT)
  --allow-net         follows "$ref" to https:// addresses of the public internet too, and takes one as DOCUMENT
  --strict            writes nothing if a policy cannot say all of the document, or the document is not valid

The policy is commented and without problems: one API, two plans with quotas, one consumer without a key yet. Its name is that
of the file: shop for shop.policy.yaml and shop.yaml. Its first line tells editors with the YAML language server (VS Code,
Neovim, Helix, …) where the JSON Schema of this version is, so that they complete fields and mark mistakes while you type;
"tollgate schema" prints the same schema for machines without internet.

With --openapi it has the document's hosts, paths, operations, key sources and scopes instead; what a policy cannot say is reported
on standard error by JSON pointer. "tollgate import openapi" brings later changes of the document into it; see docs/openapi.md.

Exit code: 0 done, 1 FILE exists or cannot be written, or the document cannot be imported, 2 wrong usage.

examples:
  tollgate init
  tollgate init shop.policy.yaml && tollgate check shop.policy.yaml
  tollgate init --openapi petstore.openapi.yaml > petstore.policy.yaml`;

export const init: Command = {
  usage,
  run: async (args, io) => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        force: { type: 'boolean', default: false },
        openapi: { type: 'string' },
        root: { type: 'string' },
        'allow-net': { type: 'boolean', default: false },
        strict: { type: 'boolean', default: false },
      },
    });
    const { openapi } = values;
    const [file = openapi === undefined ? DEFAULT_FILE : '-', ...more] = positionals;
    if (more.length > 0) throw new UsageError(`takes one FILE; found ${positionals.length}`);
    if (openapi === undefined) refuseWithout(values);
    const schema = schemaUrl(await packageJson());
    const text =
      openapi === undefined
        ? firstPolicy(policyName(file), schema)
        : await (
            await import('./import/first.ts')
          ).policyOf(openapi, values, { file, name: file === '-' ? null : policyName(file), schema }, io);
    if (file === '-' || values.force) await printTo(file, text, io);
    else await create(file, text);
    if (file !== '-')
      io.err(`${visibleName(file)}: written; "tollgate check" says what is in it, "tollgate run" serves it\n`);
    return 0;
  },
};

/** What is about the document alone means nothing without one. */
function refuseWithout({
  root,
  strict,
  'allow-net': net,
}: {
  root?: string;
  strict: boolean;
  'allow-net': boolean;
}): void {
  if (root !== undefined || strict || net) throw new UsageError('--root, --allow-net and --strict go with --openapi');
}

/** What a file's name says of the policy inside. */
export function policyName(file: string): string {
  const stem = basename(file).replace(/(?:\.policy)?\.ya?ml$/, '');
  return NAME.test(stem) && stem !== 'policy' ? stem : DEFAULT_NAME;
}

/** A new file, whole or not at all. Nobody's file is lost: the last step fails where there is one by then. */
async function create(file: string, text: string): Promise<void> {
  const draft = join(dirname(file), `.${basename(file).slice(0, 200)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    await writeFile(draft, text, { flag: 'wx' });
    await link(draft, file).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') throw error;
      // a file system without links
      await writeFile(file, text, { flag: 'wx' });
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw new Refusal(`${file}: exists; --force replaces it`);
    throw new Refusal(`${file}: ${code === 'ENOENT' ? 'its folder does not exist' : writeRule(error)}`);
  } finally {
    await rm(draft, { force: true });
  }
}

function firstPolicy(name: string, schema: string): string {
  return `# yaml-language-server: $schema=${schema}
#
# Who may call an API, how often, and where its requests go. After an edit, "tollgate check" says what is wrong with it.

# Counters and metrics carry this name.
policy: ${name}

# Where a caller may put the key, in this order. It is taken off the request before the upstream sees it.
keySources:
  - header: x-api-key
  - authorization: Bearer

# Where requests go. "tollgate run" sends them to the URL; for Istio, name the service too:
#   v1: { url: "http://127.0.0.1:9001", service: { host: pets.shop.svc.cluster.local, port: 8080 } }
upstreams:
  v1: { url: "http://127.0.0.1:9001" }

apis:
  pets:
    paths: [/v1]
    plans: [free, gold]
    upstream: v1

# How much a consumer may call. A request must fit into all quotas of its plan.
plans:
  free:
    quotas:
      per-second: { limit: 10, window: second }
      monthly: { limit: 10000, window: month }
  gold:
    quotas:
      monthly: { limit: 1000000, window: month }

# Who may call. "tollgate keys issue --consumer acme POLICY" makes a key and shows it once; only its digest comes in here.
consumers:
  acme:
    plan: free

# Where on Istio it is enforced, for "tollgate emit":
# targets:
#   - gateway: { namespace: istio-system, selector: { istio: ingressgateway }, gateways: [istio-system/ingress] }
`;
}
