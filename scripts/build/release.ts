import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inPackage } from '../file/packageRoot.ts';
import { releaseNotes } from './changelog.ts';

/**
 * `release.ts TAG OWNER/REPOSITORY FOLDER`: writes the release notes to FOLDER/notes.md and prints the values that the
 * workflow needs next. Refuses where tag, repository, changelog and package.json do not agree: a version that is
 * published cannot be taken back.
 */
const [tag = '', repository = '', folder = ''] = process.argv.slice(2);
const {
  name,
  version,
  repository: own,
} = JSON.parse(readFileSync(inPackage('package.json'), 'utf8')) as {
  name: string;
  version: string;
  repository: { url: string };
};
const notes = releaseNotes(readFileSync(inPackage('CHANGELOG.md'), 'utf8'), version);

const rule =
  tag !== `v${version}`
    ? `the tag must be v${version}, as package.json says; found "${tag}"`
    : own.url !== `git+https://github.com/${repository}.git`
      ? `package.json: repository.url must be git+https://github.com/${repository}.git; found "${own.url}"`
      : notes === null
        ? `CHANGELOG.md: must have a section "## ${version}"`
        : null;
if (rule === null) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'notes.md'), notes!);
  process.stdout.write(`version=${version}\nimage=ghcr.io/${name.replace('@', '')}\n`);
} else {
  process.stderr.write(`release: ${rule}\n`);
  process.exitCode = 1;
}
