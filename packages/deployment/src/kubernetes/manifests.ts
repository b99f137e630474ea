import type { GeneratedFiles, Generator } from '../generate.ts'
import { jetstreamObjects } from './jetstream.ts'
import { networkPolicies } from './network-policies.ts'
import { kustomizationOf, type KubeObject, yamlOf } from './object.ts'
import { provisionJobs } from './provision-job.ts'
import { scaledObjects } from './scaled-objects.ts'
import { serviceAccounts } from './service-accounts.ts'

/** What Kubernetes needs that follows from workloads; `deploy/base` and `deploy/components` bring it in. */
export const kubernetesManifests: Generator = (deployment) => {
  const { streams, consumers } = jetstreamObjects(deployment)
  return {
    ...folder('base', 'Kustomization', {
      'network-policies.yaml': networkPolicies(deployment),
      'provision.yaml': provisionJobs(deployment),
      'service-accounts.yaml': serviceAccounts(deployment),
    }),
    ...folder('keda', 'Component', { 'scaled-objects.yaml': scaledObjects(deployment) }),
    ...folder('nack', 'Component', { 'consumers.yaml': consumers, 'streams.yaml': streams }),
  }
}

function folder(name: string, kind: 'Kustomization' | 'Component', all: Record<string, KubeObject[]>): GeneratedFiles {
  const files = Object.entries(all).filter(([, objects]) => objects.length > 0)
  return {
    [`kubernetes/${name}/kustomization.yaml`]: kustomizationOf(
      kind,
      files.map(([file]) => file),
    ),
    ...Object.fromEntries(files.map(([file, objects]) => [`kubernetes/${name}/${file}`, yamlOf(objects)])),
  }
}
