import { dump } from 'js-yaml';
import type { Resource } from './resource.ts';

const HEADER = '# Emitted by "tollgate emit" from the policy ';

/**
 * A resource as YAML that every reader understands alike. All texts are quoted: to a reader of YAML 1.1, as many tools of
 * Kubernetes are, a plain `no` is false, `1e3` a number and `12:30` seconds.
 */
export function yamlOf(resource: Resource, policy: string): string {
  const { data, ...rest } = resource;
  const body = dump(rest, { forceQuotes: true, quoteStyle: 'double', lineWidth: -1, noRefs: true });
  return `${headerOf(policy)}\n${body}${
    data === undefined
      ? ''
      : `data:\n${Object.entries(data)
          .map(([name, text]) => blockOf(name, text))
          .join('')}`
  }`;
}

/** A text of several lines as it is; its first line has no indent and its last one ends. */
function blockOf(name: string, text: string): string {
  return `  ${JSON.stringify(name)}: |\n${text.replace(/^(?=.)/gm, '    ')}`;
}

export function headerOf(policy: string): string {
  return `${HEADER}"${policy}". Edit the policy instead.`;
}

/** The policy that a file was emitted from; null for a file of somebody else. */
export function emittedFrom(text: string): string | null {
  const line = text.slice(0, Math.max(0, text.indexOf('\n')));
  const policy = line.startsWith(HEADER) ? /^"([a-z0-9-]+)"\. /.exec(line.slice(HEADER.length))?.[1] : undefined;
  return policy ?? null;
}
