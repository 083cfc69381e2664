import { type Command, type Io, UsageError } from '../command.ts';
import { IMPORT_OPTIONS } from '../keys/keys.ts';

const usage = `tollgate import: brings what others describe into a policy: an OpenAPI document, a configuration of Kong, a list of keys

usage:
  tollgate import openapi FILE --into POLICY [OPTION…]
      --into POLICY      the policy to change, in its place: a file or a folder
      --api NAME         name of the API in the policy (default: the one imported from this file before, or made of the title)
      --file FILE        POLICY is a folder: the file to which a new API goes (default: the only one that has APIs)
      --plan PLAN        a plan that offers the API if it is new; may be repeated (default: every plan of the policy)
      --root DIR         files that "$ref" names lie below this folder (default: the folder of FILE)
      --allow-net        follows "$ref" to https:// addresses of the public internet too, and takes one as FILE
      --strict           changes nothing if a policy cannot say all of the document, or the document is not valid
      --dry-run          says what would change and writes nothing
      --json             prints { ok, api, isNew, added, changed, removed, kept, losses, … } as JSON
    FILE is OpenAPI 3.0, 3.1 or 3.2 or Swagger 2.0, JSON or YAML; - reads standard input. Taken from it: servers (hosts and
    paths), operations with their operationId, security (where keys are, scopes, what needs no key), deprecated, and the
    fields x-tollgate-plan, x-tollgate-cost and x-tollgate-quotas. What a policy cannot say is reported on standard error by
    JSON pointer, and is never more open than the document. What the document does not list is refused ("unlisted: deny").

    Import the document again when it has changed: only what changed in it changes in the policy. Comments, edits by hand,
    and operations that were added or taken out by hand stay; where both sides changed, yours stays and the document's is
    reported. A record in comments at the end of the policy tells one from the other; leave it as it is.

  tollgate import kong FILE [--into POLICY] [OPTION…]
      --into POLICY      the policy to change, in its place; without it a new policy is printed
      --name NAME        name of a new policy (default: made of the file's name)
      --strict           writes nothing if a policy cannot say something that decides about requests
      --dry-run          with --into: says what would change and writes nothing
      --json             prints { ok, losses, details, … } and what changed, or the new policy, as JSON
    FILE is Kong's declarative configuration (_format_version 1.1, 2.1 or 3.0), as Kong without a database and decK read and
    write it, YAML or JSON; - reads standard input. Taken from it: services and routes (upstreams and APIs), consumers and
    their keys, groups, and the plugins key-auth, acl, rate-limiting, rate-limiting-advanced, cors and request-termination
    wherever they are bound. Keys become digests at once and are printed nowhere. What a policy cannot say is reported on
    standard error by JSON pointer, with what to do instead; a "note:" changes no decision. Nobody is let in whom Kong refuses,
    unless a line says so.

    Import it again when it has changed: as above, only what changed there changes here, and your edits stay.

  tollgate import keys [OPTION…] POLICY
${IMPORT_OPTIONS}
    The same as "tollgate keys import": keys from another system, as CSV or JSON lines. See tollgate keys --help.

Exit code: 0 done, 1 the document or the policy cannot be read, would not be valid afterwards, or --strict found something, 2
wrong usage.

examples:
  tollgate import openapi orders.json --into shop.policy.yaml
  tollgate import openapi orders.json --into shop.policy.yaml --plan gold --dry-run
  tollgate import openapi orders.json --into policies/ --file orders.yaml
  tollgate import kong kong.yaml > shop.policy.yaml
  deck gateway dump -o - | tollgate import kong - --into shop.policy.yaml

"tollgate init --openapi FILE" makes a first policy of a document. See docs/openapi.md and docs/kong.md.`;

type Subcommand = (args: string[], io: Io) => Promise<number>;

const subcommands: Record<string, () => Promise<Subcommand>> = {
  openapi: async () => (await import('./openapi.ts')).runOpenapi,
  keys: async () => (await import('../keys/import.ts')).runImport,
  kong: async () => (await import('./kong.ts')).runKong,
};

export const importCommand: Command = {
  usage,
  run: async ([name, ...args], io) => {
    const load = name !== undefined && Object.hasOwn(subcommands, name) ? subcommands[name] : undefined;
    if (load === undefined)
      throw new UsageError(
        name === undefined ? 'say what to import: openapi, kong or keys' : 'knows openapi, kong and keys only',
      );
    return (await load())(args, io);
  },
};
