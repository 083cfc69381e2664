import { member } from '../openapi/spot.ts';
import { parseUpstream } from '../policy/index.ts';
import { isPrefix } from '../policy/schema/value.ts';
import type { KongDocument } from './document.ts';
import { type Entity, isFilledInLater, LATER_RULE, NameGiver, nameMadeOf, type KongReading } from './entity.ts';

/** An upstream of a policy, and the path that Kong puts before the rest. */
export interface ServiceUpstream {
  readonly name: string;
  readonly written: { readonly url: string };
  /** Without a slash at its end. */
  readonly path: string;
}

/** Where requests go if nobody says. */
const NOWHERE = 'http://127.0.0.1:9001';
/** What Kong speaks to a service, in an upstream's words. Kong does not verify certificates unless it is told to. */
const SCHEMES: Readonly<Record<string, string>> = { https: 'https', grpc: 'h2c', grpcs: 'https' };
const DETAILS: Readonly<Record<string, unknown>> = {
  connect_timeout: 60_000,
  write_timeout: 60_000,
  read_timeout: 60_000,
  retries: 5,
};

/** Upstreams by service. */
export class Upstreams {
  readonly #names = new NameGiver();
  readonly #found = new Map<Entity, ServiceUpstream>();

  constructor(
    private readonly document: KongDocument,
    private readonly reading: KongReading,
  ) {}

  /** The upstream of a service that requests go to. */
  of(service: Entity): ServiceUpstream {
    const known = this.#found.get(service);
    if (known !== undefined) return known;
    const made = this.#made(service);
    this.#found.set(service, made);
    return made;
  }

  get written(): Readonly<Record<string, { readonly url: string }>> {
    return Object.fromEntries([...this.#found.values()].map(({ name, written }) => [name, written]));
  }

  #made(service: Entity): ServiceUpstream {
    const { reading } = this;
    const { protocol, host, port, path } = this.#addressOf(service);
    const name = this.#names.give(nameMadeOf(reading.string(service, 'name')) ?? nameMadeOf(host) ?? 'service');
    for (const [field, usual] of Object.entries(DETAILS)) {
      const value = member(service.fields, field);
      if (value !== undefined && value !== null && value !== usual)
        reading.note(
          [...service.pointer, field],
          'is not taken over: an upstream of a policy has a timeout and retries',
        );
    }
    for (const field of ['client_certificate', 'ca_certificates', 'tls_verify'])
      if (member(service.fields, field))
        reading.note(
          [...service.pointer, field],
          'is not taken over: "tls" of the upstream says how "tollgate run" verifies a certificate; in the mesh TLS is the mesh\'s',
        );
    if (member(service.fields, 'tags'))
      reading.note([...service.pointer, 'tags'], 'is not taken over: a policy has no tags');
    const url = `${SCHEMES[protocol] ?? 'http'}://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}`;
    if (parseUpstream(url) !== null) return { name, written: { url }, path };
    reading.lose(
      service.pointer,
      `has an address that ${isFilledInLater(host) ? LATER_RULE.replace(/^is/, 'is') : 'no policy could name'}: write it into the upstream "${name}"`,
    );
    return { name, written: { url: NOWHERE }, path };
  }

  #addressOf(service: Entity): { protocol: string; host: string; port: number; path: string } {
    const { reading } = this;
    const url = reading.string(service, 'url');
    const [, scheme, authority, rest] = /^([a-z]+):\/\/([^/?#]*)([^?#]*)/i.exec(url ?? '') ?? [];
    const [, urlHost, urlPort] = /^(.*?)(?::(\d+))?$/.exec((authority ?? '').replace(/^.*@/, ''))!;
    const protocol = reading.string(service, 'protocol') ?? scheme?.toLowerCase() ?? 'http';
    const own = reading.string(service, 'host') ?? (urlHost === '' ? (url ?? '') : urlHost!);
    const ownPort = reading.number(service, 'port') ?? (urlPort === undefined ? undefined : Number(urlPort));
    const path = this.#pathOf(service, reading.string(service, 'path') ?? rest ?? '');
    const balanced = this.#targetOf(own, service);
    if (balanced !== null) return { protocol, ...balanced, path };
    return { protocol, host: own.toLowerCase(), port: ownPort ?? (/s$/.test(protocol) ? 443 : 80), path };
  }

  #pathOf(service: Entity, text: string): string {
    const path = text.replace(/\/{2,}/g, '/').replace(/\/$/, '');
    if (path === '' || isPrefix(path)) return path;
    this.reading.lose(
      [...service.pointer, 'path'],
      'is left out: it is no path that a policy could put before another',
    );
    return '';
  }

  /** The host of a service may be the name of an upstream of Kong's, which has targets. */
  #targetOf(host: string, service: Entity): { host: string; port: number } | null {
    const { document, reading } = this;
    const upstream = document.upstreams.find((one) => member(one.fields, 'name') === host);
    if (upstream === undefined) return null;
    const targets = document.targets.filter((one) => one.upstream === upstream);
    const [first] = targets;
    const [, name, port] = /^(.*?)(?::(\d+))?$/.exec((first && reading.string(first, 'target')) ?? '')!;
    if (targets.length > 1)
      reading.lose(
        upstream.pointer,
        'has several targets, of which the first is taken: the mesh balances between them',
      );
    if (name !== '') return { host: name!.toLowerCase(), port: port === undefined ? 8000 : Number(port) };
    reading.lose(service.pointer, 'goes to an upstream without targets');
    return null;
  }
}
