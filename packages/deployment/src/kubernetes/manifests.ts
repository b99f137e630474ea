import type { GeneratedFiles, Generator } from '../generate.ts'
import { certificateMounts, certificates } from './certificates.ts'
import { disruptionBudgets } from './disruption-budgets.ts'
import { jetstreamObjects } from './jetstream.ts'
import { networkPolicies } from './network-policies.ts'
import { dashboardMaps, prometheusRules } from './monitoring.ts'
import { type KubeObject, type KustomizationKind, kustomizationOf, type Patch, yamlOf } from './object.ts'
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
  const folder = (
    name: string,
    kind: KustomizationKind,
    all: Record<string, KubeObject[]>,
    patches?: Patch[],
  ): GeneratedFiles => {
    const files = Object.entries(all).map(([file, objects]): [string, KubeObject[]] => [file, inNamespace(objects)])
    return folderOf(name, { kind, patches }, files)
  }
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
    ...folder('tls', 'Component', { 'certificates.yaml': certificates(deployment) }, certificateMounts(deployment)),
  }
}

function folderOf(
  name: string,
  { kind, patches }: { kind: KustomizationKind; patches: readonly Patch[] | undefined },
  all: readonly [string, KubeObject[]][],
): GeneratedFiles {
  const files = all.filter(([, objects]) => objects.length > 0)
  const resources = files.map(([file]) => file)
  return {
    [`kubernetes/${name}/kustomization.yaml`]: kustomizationOf(kind, resources, patches),
    ...Object.fromEntries(files.map(([file, objects]) => [`kubernetes/${name}/${file}`, yamlOf(objects)])),
  }
}
