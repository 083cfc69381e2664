import { type Command, type Io, UsageError } from '../command.ts';

/** Of `keys import`, which `import keys` is too. */
export const IMPORT_OPTIONS = `      --from FILE        where to read the rows (default: standard input)
      --plan PLAN        plan of new consumers whose rows name none
      --file FILE        POLICY is a folder: the file to which new consumers go (default: the only one that has consumers)
      --dry-run          checks everything and writes nothing
      --json             prints { ok, dryRun, rows, added, unchanged, consumers, created, problems, … } as JSON`;

const usage = `tollgate keys: issues, rotates, revokes and imports API keys

A policy holds digests (SHA-256) of keys, never keys. "issue" and "rotate" show a key once; after that nobody can read it
again, and a lost key is replaced, not recovered. The file keeps its comments, its order and its line breaks. POLICY is a file, or
a folder of files: then the file in which the consumer stands is changed.

usage:
  tollgate keys issue --consumer NAME [OPTION…] POLICY
      --consumer NAME    who gets the key
      --id ID            public id of the key (default: 8 random letters and digits)
      --from TIME        the key works from this time on, e.g. 2026-01-31T00:00:00Z
      --until TIME       the key works until this time, which must be in the future
      --api NAME         limits the key to this API; given several times, to these
      --scope NAME       limits the key to this scope of its consumer; given several times, to these
      --plan PLAN        makes the consumer, with this plan, if there is none of that name
      --file FILE        POLICY is a folder: the file to which a new consumer goes (default: the only one that has consumers)
      --json             prints consumer, id, key, digest, times and limits as JSON
    The key goes to standard output, everything else to standard error. It is printed before its digest is written: a key
    that cannot be printed is not stored. Several commands at once wait for each other.

  tollgate keys rotate [OPTION…] POLICY CONSUMER
    Issues a new key as above, and sets "until" of the old one: during the overlap both work.
      --consumer NAME    the consumer, instead of CONSUMER
      --id ID            the old key (default: the only active key, or the only one without "until")
      --overlap TIME     how long the old key still works: 30m, 12h, 7d, or 0 (default: 7d)
      --until TIME       the new key works until this time
      --json             prints consumer, id, key, digest, and id and "until" of the old key as JSON
    If the old key expires earlier anyway, its "until" is not changed. The new one is for the same APIs, scopes and addresses.

  tollgate keys revoke --id ID [--consumer NAME] POLICY
    Sets "revoked: true". Delete the entry later, when nobody asks about the key any more.

  tollgate keys list POLICY [--json]
    Consumer, id, state (active, inactive, expired, revoked), times and limits of every key. - reads the policy from standard input.

  tollgate keys import [OPTION…] POLICY
    Adds keys from another system: all rows or none. 100,000 rows take seconds.
${IMPORT_OPTIONS}
    Rows are CSV with a header (commas, semicolons or tabs), or one JSON object per line. Columns, in any order:
      consumer           required; a new consumer is created if the row or --plan gives its plan
      key or digest      the key, of which only the digest is stored; or "sha256:" and 64 hex digits
      id                 (default: the id inside a key that Tollgate issued, otherwise 8 random letters and digits)
      plan               of a new consumer; an existing consumer must already have it
      from, until        times, or dates such as 2026-01-31 (midnight UTC)
      apis, scopes       what the key is limited to, with spaces between the names
    Rows whose key is already in the policy change nothing, so an import can be repeated. Bad rows are reported by line and
    rule, never with their values.

  tollgate keys digest [--prompt | --lines]
    Reads a key from standard input and prints what goes into "digest:". For keys that another system issued.
      --prompt           asks for the key on the terminal, without showing it
      --lines            reads one key per line and prints one digest per line, in the same order, as they arrive
    Takes no key as an argument: arguments end up in the shell's history and in the list of processes.

examples:
  tollgate keys issue --consumer acme petstore.policy.yaml
  tollgate keys issue --consumer initech --plan free --until 2027-01-01T00:00:00Z petstore.policy.yaml > initech.key
  tollgate keys issue --consumer hooli --plan free --file partners.yaml policies/
  tollgate keys issue --consumer acme --api petstore --scope read:pets petstore.policy.yaml
  tollgate keys rotate petstore.policy.yaml acme --overlap 14d
  tollgate keys revoke --id 4f9k2mXa petstore.policy.yaml
  tollgate keys import petstore.policy.yaml --plan free --dry-run < keys.csv
  tollgate keys digest < old.key

To replace a key without downtime: rotate, hand over the new key, and check in the access log that the old id is no longer
used. Set a later "until" if it still is, or revoke it to end it at once. See docs/keys.md.`;

type Subcommand = (args: string[], io: Io) => Promise<number>;

const subcommands: Record<string, () => Promise<Subcommand>> = {
  issue: async () => (await import('./issue.ts')).runIssue,
  rotate: async () => (await import('./issue.ts')).runRotate,
  revoke: async () => (await import('./list.ts')).runRevoke,
  list: async () => (await import('./list.ts')).runList,
  import: async () => (await import('./import.ts')).runImport,
  digest: async () => (await import('./digest.ts')).runDigest,
};

export const keys: Command = {
  usage,
  run: async ([name, ...args], io) => {
    const load = name !== undefined && Object.hasOwn(subcommands, name) ? subcommands[name] : undefined;
    if (load === undefined)
      throw new UsageError(
        name === undefined
          ? 'say issue, rotate, revoke, list, import or digest'
          : 'knows issue, rotate, revoke, list, import and digest only',
      );
    return (await load())(args, io);
  },
};
