import { isIP } from 'node:net';
import { isLoopback } from './reference.ts';

/**
 * Second labels under which a country's registry sells names (`co.uk`), so that the third label tells the owner. The
 * public suffix list has all of them and changes weekly; what is missing here costs an --allow-host, and only under a
 * rare country label.
 */
const SHARED_SECOND = new Set([
  'ac',
  'asn',
  'co',
  'com',
  'edu',
  'ed',
  'gen',
  'go',
  'gob',
  'gov',
  'gouv',
  'gv',
  'id',
  'ind',
  'lg',
  'ltd',
  'me',
  'mil',
  'ne',
  'net',
  'nhs',
  'nom',
  'or',
  'org',
  'plc',
  'sch',
  'web',
]);

/** Domains in which each customer has a name: neighbours there have nothing to do with each other. */
const TENANTED = [
  'amazonaws.com',
  'azurecr.io',
  'azurewebsites.net',
  'azure.com',
  'cloudapp.net',
  'windows.net',
  'jfrog.io',
  'run.app',
  'appspot.com',
  'web.app',
  'googleapis.com',
  'scw.cloud',
  'ts.net',
  'github.io',
  'githubusercontent.com',
  'gitlab.io',
  'pages.dev',
  'workers.dev',
  'vercel.app',
  'netlify.app',
  'herokuapp.com',
  'fly.dev',
  'onrender.com',
  'railway.app',
  'ngrok.io',
  'ngrok.app',
  'ngrok-free.app',
  'trycloudflare.com',
  'digitaloceanspaces.com',
  'ondigitalocean.app',
  'duckdns.org',
  'nip.io',
  'sslip.io',
  'cloudfront.net',
  'b-cdn.net',
  'myqnapcloud.com',
  'synology.me',
];

/** Registries whose token service is on another domain, as their users have reported it. */
const KNOWN: readonly (readonly [registry: string, service: string])[] = [
  ['scw.cloud', 'api.scaleway.com'],
  ['nvcr.io', 'authn.nvidia.com'],
];

/** True when a registry's token service at `service` is the registry's own: the same host, the same owner's domain, or one that is known. */
export function isKin(registry: string, service: string): boolean {
  const [own, other] = [bare(registry), bare(service)];
  if (own === other || (isLoopback(own) && isLoopback(other))) return true;
  if (KNOWN.some(([domain, host]) => isUnder(own, domain) && other === host)) return true;
  const domain = ownDomain(own);
  return domain !== null && domain === ownDomain(other);
}

/** The part of a name that one owner holds; null when there is none to tell. */
function ownDomain(name: string): string | null {
  const labels = name.split('.');
  if (
    isIP(name.replace(/^\[|\]$/g, '')) !== 0 ||
    labels.includes('') ||
    TENANTED.some((domain) => isUnder(name, domain))
  )
    return null;
  const [second = '', top = ''] = labels.slice(-2);
  const length = top.length === 2 && SHARED_SECOND.has(second) ? 3 : 2;
  return labels.length < length ? null : labels.slice(-length).join('.');
}

function isUnder(name: string, domain: string): boolean {
  return name === domain || name.endsWith(`.${domain}`);
}

/** A host name without port and without the dot that ends it. */
function bare(host: string): string {
  return host.replace(/:\d+$/, '').replace(/\.$/, '').toLowerCase();
}
