import { parseArgs } from 'node:util';
import type { Bundle } from '../oci/bundle.ts';
import { type CredentialSource, givenCredential } from '../oci/credentials.ts';
import { bundleModule, type Pushed, pushModule } from '../oci/index.ts';
import { readLayout } from '../oci/layout.ts';
import { isHost, parseReference, type Reference } from '../oci/reference.ts';
import { type Command, type Io, UsageError } from './command.ts';
import { sbomFormat, withSbomFormat, bundleOptions } from './packing.ts';

/** Access tokens have up to a few kilobytes. */
const MAX_PASSWORD_BYTES = 65_536;

export const push: Command = {
  usage: `tollgate push: pushes the module to an OCI registry

usage: tollgate push oci://HOST/REPOSITORY[:TAG] [OPTION…]

Uploads what the registry lacks, moves the tag last, and prints the reference with the digest, which "tollgate emit" takes.
Pushing again sends nothing. Lost connections and a busy registry (429, 5xx) are tried again, an upload from where it broke.

  --artifact            as an artifact instead of an image; see "tollgate pack --help"
  --module FILE         another proxy-wasm module than Tollgate's own
  --sbom [cyclonedx|spdx]
                        push an SBOM too, as a referrer: cyclonedx (default) or spdx
  --annotation KEY=VALUE
                        add or replace an annotation; several times
  --layout DIR          push what "tollgate pack" wrote there, instead of packing now
  --username USER       together with --password-stdin, instead of docker's credentials
  --password-stdin      read the password or access token from standard input
  --allow-host HOST     the registry may send to this host for a token or an upload, wherever it is; several times. Without
                        that, credentials go to the registry's own host and domain only, and nobody on the internet
                        sends us to a private address
  --plain-http          use http without TLS; without this option, only for loopback
  --json                print {"reference", "digest", "tag", "moved", "uploaded", "changed", "referrers"} instead

Credentials are docker's: auths, credHelpers and credsStore of $DOCKER_CONFIG/config.json or ~/.docker/config.json; the entry with
the longest path counts, as in registry.example.com/team.
Without a TAG the image can be fetched by its digest only, and some registries clean up what has no tag.

examples:
  tollgate push oci://registry.example.com/team/tollgate:1.0 --sbom
  image=$(tollgate push oci://registry.example.com/team/tollgate:1.0)
  tollgate push oci://ghcr.io/acme/tollgate:1.0 --username acme --password-stdin < token`,

  async run(args: string[], io: Io): Promise<number> {
    const options = parse(args);
    const credentials = await given(options, io);
    const progress = new Progress((line) => io.err(`tollgate: ${line}\n`));
    try {
      const bundle = await bundleFor(options, () => io.err('tollgate: compiling the module …\n'));
      const pushed = await pushModule(options.target, bundle, {
        plainHttp: options.plainHttp,
        allowedHosts: options.allowedHosts,
        signal: io.signal,
        note: progress.say,
        ...(credentials === undefined ? {} : { credentials }),
      });
      io.err(`tollgate: ${describe(pushed)}\n`);
      io.out(options.json ? `${JSON.stringify(pushed)}\n` : `${pushed.reference}\n`);
    } finally {
      progress.stop();
    }
    return 0;
  },
};

interface Options {
  readonly target: string;
  readonly reference: Reference;
  readonly layout: string | undefined;
  readonly module: string | undefined;
  readonly artifact: boolean;
  readonly sbom: ReturnType<typeof sbomFormat>;
  readonly annotations: string[];
  readonly username: string | undefined;
  readonly passwordFromStdin: boolean;
  readonly plainHttp: boolean;
  readonly allowedHosts: string[];
  readonly json: boolean;
}

function parse(args: string[]): Options {
  const { values, positionals } = parseArgs({
    args: withSbomFormat(args),
    allowPositionals: true,
    options: {
      artifact: { type: 'boolean', default: false },
      module: { type: 'string' },
      sbom: { type: 'string' },
      layout: { type: 'string' },
      annotation: { type: 'string', multiple: true, default: [] },
      username: { type: 'string' },
      'password-stdin': { type: 'boolean', default: false },
      'allow-host': { type: 'string', multiple: true, default: [] },
      'plain-http': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const [target, ...more] = positionals;
  if (target === undefined || more.length > 0)
    throw new UsageError('name one place to push to, as in oci://registry.example.com/team/tollgate:1.0');
  const sbom = sbomFormat(values.sbom);
  const { layout, module, artifact, username } = values;
  const packing = artifact || module !== undefined || sbom !== undefined || values.annotation.length > 0;
  must(
    layout === undefined || !packing,
    '--layout pushes what was packed; --artifact, --module, --sbom and --annotation are for packing',
  );
  must(
    sbom === undefined || module === undefined,
    "--sbom says what Tollgate's own module is made of; that is not known of --module",
  );
  must((username !== undefined) === values['password-stdin'], '--username and --password-stdin go together');
  for (const host of values['allow-host'])
    must(isHost(host), `--allow-host is a host such as auth.example.com; found "${host}"`);
  return {
    target,
    reference: parseReference(target),
    layout,
    module,
    artifact,
    sbom,
    annotations: values.annotation,
    username,
    passwordFromStdin: values['password-stdin'],
    plainHttp: values['plain-http'],
    allowedHosts: values['allow-host'],
    json: values.json,
  };
}

async function given({ username, passwordFromStdin }: Options, io: Io): Promise<CredentialSource | undefined> {
  if (username === undefined || !passwordFromStdin) return undefined;
  const password = (await io.stdin(MAX_PASSWORD_BYTES)).toString('utf8').replace(/\r?\n$/, '');
  must(password !== '', 'standard input must hold the password');
  return () => Promise.resolve(givenCredential(username, password));
}

async function bundleFor(
  { layout, reference, artifact, module, sbom, annotations }: Options,
  onBuild: () => void,
): Promise<Bundle> {
  if (layout !== undefined) return readLayout(layout, reference.tag);
  return bundleModule(
    await bundleOptions({ layout: artifact ? 'artifact' : 'image', module, sbom, annotations, onBuild }),
  );
}

function describe({ uploaded, changed, tag, moved }: Pushed): string {
  if (!changed) return 'everything was there; nothing was sent';
  const bytes = uploaded.reduce((sum, { size }) => sum + size, 0);
  const sent =
    uploaded.length === 0
      ? 'every blob was there'
      : `${uploaded.length} ${uploaded.length === 1 ? 'blob' : 'blobs'}, ${Math.ceil(bytes / 1000)} kB uploaded`;
  if (tag === null) return `${sent}; no tag`;
  return moved === null ? `${sent}; tagged ${tag}` : `${sent}; tag ${tag} moved from ${moved}`;
}

function must(condition: boolean, rule: string): void {
  if (!condition) throw new UsageError(rule);
}

/** Whatever takes longer is announced. */
const LATE_MS = 2000;

/** Says what is going on, once it has been going on for two seconds: a quick push stays quiet. */
export class Progress {
  private latest: string | null = null;
  private late = false;
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly print: (line: string) => void) {
    this.timer = setTimeout(() => this.wake(), LATE_MS);
    this.timer.unref();
  }

  say = (text: string): void => {
    this.latest = text;
    if (this.late) this.flush();
  };

  stop(): void {
    clearTimeout(this.timer);
  }

  private wake(): void {
    this.late = true;
    this.flush();
  }

  private flush(): void {
    if (this.latest !== null) this.print(this.latest);
    this.latest = null;
  }
}
