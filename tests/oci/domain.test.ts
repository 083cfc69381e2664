import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isKin } from '../../scripts/oci/domain.ts';

/** Real pairs of registry and token service. */
const own: [string, string][] = [
  ['registry-1.docker.io', 'auth.docker.io'],
  ['ghcr.io', 'ghcr.io'],
  ['quay.io', 'quay.io'],
  ['gcr.io', 'gcr.io'],
  ['europe-docker.pkg.dev', 'europe-docker.pkg.dev'],
  ['acme.azurecr.io', 'acme.azurecr.io'],
  ['public.ecr.aws', 'public.ecr.aws'],
  ['registry.gitlab.com', 'gitlab.com'],
  ['registry.digitalocean.com', 'api.digitalocean.com'],
  ['registry.cn-hangzhou.aliyuncs.com', 'dockerauth.cn-hangzhou.aliyuncs.com'],
  ['rg.fr-par.scw.cloud', 'api.scaleway.com'],
  ['nvcr.io', 'authn.nvidia.com'],
  ['registry.acme.co.uk', 'gitlab.acme.co.uk'],
  ['registry.example.com:5000', 'registry.example.com:5001'],
  ['REGISTRY.example.com', 'auth.Example.com.'],
  ['10.0.0.7:5000', '10.0.0.7:5001'],
  ['localhost:5000', '127.0.0.1:5001'],
  ['registry.team.svc.cluster.local', 'auth.team.svc.cluster.local'],
];
for (const [registry, service] of own)
  test(`${service} belongs to ${registry}`, () => assert.equal(isKin(registry, service), true));

const foreign: [string, string][] = [
  ['registry-1.docker.io', 'auth.docker.io.evil.example'],
  ['registry.example.com', 'registry.example.com.evil.net'],
  ['registry.example.com', 'evilexample.com'],
  ['registry.acme.co.uk', 'evil.co.uk'],
  ['acme.azurecr.io', 'evil.azurecr.io'],
  ['acme.jfrog.io', 'evil.jfrog.io'],
  ['1234.dkr.ecr.eu-central-1.amazonaws.com', 'evil.s3.amazonaws.com'],
  ['rg.fr-par.scw.cloud', 'evil.scw.cloud'],
  ['ghcr.io', 'api.scaleway.com'],
  ['scw.cloud.evil.example', 'api.scaleway.com'],
  ['registry', 'auth'],
  ['registry.internal', 'registry'],
  ['10.0.0.7:5000', '10.0.0.8'],
  ['10.0.0.7', '9.0.0.7'],
  ['[2001:470::1]', '[2001:470::2]'],
  ['registry.example.com', '127.0.0.1'],
  ['localhost', 'localhost.evil.example'],
];
for (const [registry, service] of foreign)
  test(`${service} is not known to belong to ${registry}`, () => assert.equal(isKin(registry, service), false));
