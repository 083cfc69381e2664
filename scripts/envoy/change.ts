/** A plugin config with upstreams and routes beside it, as far as its parts have names. */
type Config = Readonly<Record<string, unknown>>;

const SECTIONS = { apis: 'API', plans: 'plan', consumers: 'consumer', upstreams: 'upstream', routes: 'route' } as const;

/** What differs between two policies in force, in a few words for the log: `plan free changed, consumer beta added`. */
export function describeChange(old: Config, next: Config): string {
  const words: string[] = [];
  for (const [section, noun] of Object.entries(SECTIONS))
    words.push(...sectionChanges(noun, named(old[section]), named(next[section])));
  for (const field of new Set([...Object.keys(old), ...Object.keys(next)])) {
    if (!(field in SECTIONS) && JSON.stringify(old[field]) !== JSON.stringify(next[field]))
      words.push(`${field} changed`);
  }
  return words.join(', ') || 'same effect as before';
}

function sectionChanges(noun: string, old: Map<string, string>, next: Map<string, string>): string[] {
  const words: string[] = [];
  for (const [name, text] of next) {
    const before = old.get(name);
    if (before !== text) words.push(`${noun} ${name} ${before === undefined ? 'added' : 'changed'}`);
  }
  for (const name of old.keys()) if (!next.has(name)) words.push(`${noun} ${name} removed`);
  return words.length === 0 && [...old.keys()].join() !== [...next.keys()].join()
    ? [`order of ${noun}s changed`]
    : words;
}

function named(items: unknown): Map<string, string> {
  const list = Array.isArray(items) ? (items as { name: string }[]) : [];
  return new Map(list.map((item) => [item.name, JSON.stringify(item)]));
}
