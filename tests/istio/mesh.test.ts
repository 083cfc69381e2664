import { after, before, describe } from 'node:test';
import { acceptanceTests } from './acceptance.ts';
import { available } from './available.ts';
import { brokenClusterTests } from './brokenCluster.ts';
import { changeTests } from './changes.ts';
import { failureTests } from './failures.ts';
import { gatewayTests } from './gateway.ts';
import { gatewayApiTests } from './gatewayApi.ts';
import { identityTests } from './identity.ts';
import { liveTests } from './live.ts';
import { MeshUnderTest } from './meshUnderTest.ts';
import { outboundTests } from './outbound.ts';
import { printedTests } from './printed.ts';
import { routeEditTests } from './routeEdits.ts';
import { quickstartTests } from './quickstart.ts';
import { registryDownTests } from './registryDown.ts';
import { rolloutTests } from './rollout.ts';
import { sidecarTests } from './sidecar.ts';
import { statTagTests } from './statTags.ts';
import { symptomTests } from './symptoms.ts';
import { tokenTests } from './tokens.ts';
import { troubleshootingTests } from './troubleshooting.ts';
import { twoPolicyTests } from './twoPolicies.ts';
import { verifyTests } from './verify.ts';

const found = await available();

/** One control plane for every subject: it is what takes time to start. */
describe('a mesh with a real control plane', { skip: found.skip }, () => {
  const mesh = new MeshUnderTest(found);
  before(() => mesh.start());
  after(() => mesh.stop());
  for (const tests of [
    acceptanceTests,
    gatewayTests,
    gatewayApiTests,
    printedTests,
    sidecarTests,
    outboundTests,
    identityTests,
    tokenTests,
    twoPolicyTests,
    changeTests,
    routeEditTests,
    rolloutTests,
    failureTests,
    registryDownTests,
    liveTests,
    quickstartTests,
    troubleshootingTests,
    symptomTests,
    statTagTests,
    verifyTests,
    brokenClusterTests,
  ])
    tests(mesh);
});
