import type { HeaderMap, Pair } from '../host/stream.ts';

/** What a page on the request's origin may do, read from the answer that the module gives it. */
export interface CorsStory {
  /** As the request has it; null: the request comes from no page, or from one of the same origin. */
  readonly origin: string | null;
  readonly isAllowed: boolean;
  /** Null: the request is no preflight that the module answers. */
  readonly preflight: {
    readonly isAnswered: boolean;
    readonly method: string;
    /** What it asks for and the policy does not list. */
    readonly unlistedMethod: boolean;
    readonly unlistedHeaders: readonly string[];
  } | null;
}

/** Methods that need no permission. */
const SIMPLE = new Set(['GET', 'HEAD', 'POST']);

export function corsStory(request: readonly Pair[], reason: string, response: HeaderMap): CorsStory {
  const sent = (name: string): string[] => request.filter(([one]) => one === name).map(([, value]) => value);
  const origins = sent('origin');
  const isAllowed = response.first('access-control-allow-origin') !== undefined;
  const origin = origins.length === 0 ? null : origins.join(', ');
  if (reason !== 'preflight_answered' && reason !== 'preflight_refused') return { origin, isAllowed, preflight: null };
  const method = sent('access-control-request-method')[0] ?? '';
  const asked = namesIn(sent('access-control-request-headers')).map((name) => name.toLowerCase());
  const methods = namesIn(response.all('access-control-allow-methods'));
  const headers = new Set(namesIn(response.all('access-control-allow-headers')).map((name) => name.toLowerCase()));
  return {
    origin,
    isAllowed,
    preflight: {
      isAnswered: reason === 'preflight_answered',
      method,
      unlistedMethod: isAllowed && !SIMPLE.has(method) && !methods.includes(method),
      unlistedHeaders: isAllowed ? [...new Set(asked)].filter((name) => !headers.has(name)) : [],
    },
  };
}

function namesIn(lists: readonly string[]): string[] {
  return lists
    .join()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
