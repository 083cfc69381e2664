/**
 * What the changelog says of a version: everything below `## VERSION`, with or without a date behind it, up to the next heading of that
 * level. Null when it has no such section, or nothing in it. Lines end with LF, whatever the file has.
 */
export function releaseNotes(changelog: string, version: string): string | null {
  const lines = changelog.replace(/\r\n?/g, '\n').split('\n');
  const isHeading = (line: string): boolean => /^## /.test(line);
  const start = lines.findIndex((line) => isHeading(line) && line.slice(3).trim().split(/\s/)[0] === version);
  if (start < 0) return null;
  const end = lines.findIndex((line, index) => index > start && isHeading(line));
  const section = lines.slice(start + 1, end < 0 ? undefined : end).join('\n');
  return section.trim() === '' ? null : `${section.trim()}\n`;
}
