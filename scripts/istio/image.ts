import { Refusal } from '../cli/command.ts';

const REFERENCE =
  /^oci:\/\/[a-zA-Z0-9.-]+(?::\d+)?(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+(?::[\w][\w.-]{0,127})?@sha256:([0-9a-f]{64})$/;

/**
 * The digest (64 hex digits) of an image's manifest. Only a digest says which bytes will run: a tag can be moved by whoever
 * may push, and proxies that pulled it at different times would run different modules under one policy.
 */
export function manifestDigest(image: string): string {
  // Istio takes such a URL and then drops the plugin without a word: everything is let through
  if (!image.startsWith('oci://')) throw new Refusal(`image must begin with oci://; found "${image}"`);
  if (!image.includes('@')) {
    throw new Refusal(
      `image must name a digest (oci://HOST/REPOSITORY@sha256:…), because a tag can be moved and proxies would run different modules; "tollgate push" prints it; found "${image}"`,
    );
  }
  const digest = REFERENCE.exec(image)?.[1];
  if (digest === undefined)
    throw new Refusal(`image must be oci://HOST/REPOSITORY@sha256: and 64 lower-case hex digits; found "${image}"`);
  return digest;
}
