import type { GeneratedFiles, Generator } from '../generate.ts'
import { certificates } from './certificates.ts'
import { disruptionBudgets } from './disruption-budgets.ts'
import { jetstreamObjects } from './jetstream.ts'
import { networkPolicies } from './network-policies.ts'
import { dashboardMaps, prometheusRules } from './monitoring.ts'
import { type KubeObject, type KustomizationKind, kustomizationOf, yamlOf } from './object.ts'
import { provisionJobs } from './provision-job.ts'
import { scaledObjects } from './scaled-objects.ts'
import { serviceAccounts } from './service-accounts.ts'
import { services } from './services.ts'

/** What Kubernetes needs that follows from workloads; `deploy/base` and `deploy/components` bring it in. */
export const kubernetesManifests: Generator = (deployment) => {
  const { streams, consumers } = jetstreamObjects(deployment)
  const here = deployment.namespace
  const inNamespace = (objects: readonly KubeObject[]): KubeObject[] =>
    objects.map((one) => ({ ...one, metadata: { ...one.metadata, namespace: here } }))
  const folder = (name: string, kind: KustomizationKind, all: Record<string, KubeObject[]>): GeneratedFiles =>
    folderOf(name, kind, Object.fromEntries(Object.entries(all).map(([file, objects]) => [file, inNamespace(objects)])))
  return {
    ...folder('base', 'Kustomization', {
      'disruption-budgets.yaml': disruptionBudgets(deployment),
      'network-policies.yaml': networkPolicies(deployment),
      'provision.yaml': provisionJobs(deployment),
      'service-accounts.yaml': serviceAccounts(deployment),
      'services.yaml': services(deployment),
    }),
    ...folder('keda', 'Component', { 'scaled-objects.yaml': scaledObjects(deployment) }),
    ...folder('nack', 'Component', { 'consumers.yaml': consumers, 'streams.yaml': streams }),
    ...folder('prometheus', 'Component', { 'dashboards.yaml': dashboardMaps(), 'rules.yaml': prometheusRules() }),
    ...folder('tls', 'Component', { 'certificates.yaml': certificates(deployment) }),
  }
}

function folderOf(name: string, kind: KustomizationKind, all: Record<string, KubeObject[]>): GeneratedFiles {
  const files = Object.entries(all).filter(([, objects]) => objects.length > 0)
  return {
    [`kubernetes/${name}/kustomization.yaml`]: kustomizationOf(
      kind,
      files.map(([file]) => file),
    ),
    ...Object.fromEntries(files.map(([file, objects]) => [`kubernetes/${name}/${file}`, yamlOf(objects)])),
  }
}
