import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import type { Command, Io } from './command.ts';
import { packModule } from '../oci/index.ts';
import { sbomFormat, withSbomFormat, bundleOptions } from './packing.ts';
import { checkTag } from '../oci/reference.ts';

export const pack: Command = {
  usage: `tollgate pack: the module as an OCI image layout on disk

usage: tollgate pack [OPTION…]

Writes a folder that skopeo, crane, oras and "tollgate push --layout" take. Two layouts, both for Istio and Envoy Gateway:
an image whose only layer is a gzipped tar with plugin.wasm (default), or an artifact with the wasm as it is. The same module
and commit give the same digest on every machine: no time and nothing of the machine goes in.

  --artifact            the artifact instead of the image
  --out DIR             where to write (default: build/oci); a layout that is there is replaced
  --module FILE         another proxy-wasm module than Tollgate's own, which is built when its sources have changed
  --tag NAME            the image's name in the layout (default: latest)
  --sbom [cyclonedx|spdx]
                        attach an SBOM as a referrer: cyclonedx (default) or spdx
  --annotation KEY=VALUE
                        add or replace an annotation, such as org.opencontainers.image.source; several times
  --json                print {"path", "digest", "tag", "bytes", "referrers"} instead

examples:
  tollgate pack --sbom
  tollgate pack --artifact --out dist/oci --tag 1.0
  skopeo copy oci:build/oci:latest docker://registry.example.com/team/tollgate:1.0`,

  async run(args: string[], io: Io): Promise<number> {
    const { values } = parseArgs({
      args: withSbomFormat(args),
      options: {
        artifact: { type: 'boolean', default: false },
        out: { type: 'string', default: join('build', 'oci') },
        module: { type: 'string' },
        tag: { type: 'string', default: 'latest' },
        sbom: { type: 'string' },
        annotation: { type: 'string', multiple: true, default: [] },
        json: { type: 'boolean', default: false },
      },
    });
    const { module, tag } = values;
    const sbom = sbomFormat(values.sbom);
    checkTag(tag);
    const options = await bundleOptions({
      layout: values.artifact ? 'artifact' : 'image',
      module,
      sbom,
      annotations: values.annotation,
      onBuild: () => io.err('compiling the module …\n'),
    });
    const packed = await packModule({ ...options, out: values.out, tag });
    const path = relative(process.cwd(), packed.path) || '.';
    io.out(
      values.json
        ? `${JSON.stringify({ ...packed, path })}\n`
        : `${path}:${packed.tag}  ${packed.bytes} bytes  ${packed.digest}\n`,
    );
    return 0;
  },
};
