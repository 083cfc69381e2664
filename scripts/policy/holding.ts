import type { Cursor } from './cursor.ts';

/** The plan a consumer has on an API: the subscription's, or else its own if the API offers that. */
export function planOn(api: Cursor, consumer: Cursor): string | undefined {
  const subscription = consumer.get('subscriptions').get(api.key);
  if (subscription.given) return subscription.get('plan').text;
  const plan = consumer.get('plan').text;
  return plan !== undefined && api.get('plans').texts.includes(plan) ? plan : undefined;
}
