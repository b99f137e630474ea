import { type Cluster, type Container, containersOf, type PodSpec, type Starter } from './cluster.ts'
import type { Finding, Rule } from './rule.ts'

/** What is asked of every pod and container by itself. */
export const podRules: readonly Rule[] = [
  pod('non-root', 'kube-linter run-as-non-root; Pod Security restricted', ({ securityContext }) =>
    securityContext?.runAsNonRoot === true ? [] : ['set securityContext.runAsNonRoot: true'],
  ),
  pod('high-ids', 'kube-score container-security-context-user-group-id', ({ securityContext: of = {} }) =>
    (of.runAsUser ?? 0) > 10_000 && (of.runAsGroup ?? 0) > 10_000
      ? []
      : ['set runAsUser and runAsGroup above 10000, where no user of the node is'],
  ),
  pod('seccomp', 'polaris linuxHardening; Pod Security restricted', ({ securityContext }) =>
    securityContext?.seccompProfile?.type === 'RuntimeDefault'
      ? []
      : ['set securityContext.seccompProfile.type: RuntimeDefault'],
  ),
  pod('nothing-of-the-host', 'kube-linter host-network, host-pid, host-ipc, sensitive-host-mounts', (spec) => [
    ...(['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((one) => spec[one]).map((one) => `remove ${one}`),
    ...(spec.volumes ?? [])
      .filter(({ hostPath }) => hostPath)
      .map(({ name }) => `volume ${name}: a hostPath is the node's; take another kind`),
  ]),
  pod('no-token', 'polaris automountServiceAccountToken', ({ automountServiceAccountToken }) =>
    automountServiceAccountToken === false
      ? []
      : ['set automountServiceAccountToken: false; it never talks to Kubernetes'],
  ),
  pod('bounded-scratch', 'mesh: a full disk of the node ends other pods', ({ volumes = [] }) =>
    volumes
      .filter(({ emptyDir }) => emptyDir && !emptyDir.sizeLimit)
      .map(({ name }) => `volume ${name}: set emptyDir.sizeLimit`),
  ),
  pod('readable-secrets', 'mesh: files of a Secret belong to root', ({ volumes = [], securityContext }) =>
    volumes.flatMap(({ name, secret }) => {
      if (!secret) return []
      const mode = secret.defaultMode ?? 0o644
      if ((mode & 0o037) !== 0)
        return [`volume ${name}: set defaultMode: 0400; with ${mode.toString(8)} others read it`]
      return securityContext?.fsGroup === undefined
        ? [`volume ${name}: set securityContext.fsGroup, or the process cannot read it`]
        : []
    }),
  ),
  pod('priority-class', 'polaris priorityClassNotSet', ({ priorityClassName }) =>
    priorityClassName ? [] : ['set priorityClassName'],
  ),
  container(
    'no-privileges',
    'kube-linter privilege-escalation-container, privileged-container; Pod Security restricted',
    ({ securityContext: of = {} }) => [
      ...(of.allowPrivilegeEscalation === false ? [] : ['set securityContext.allowPrivilegeEscalation: false']),
      ...(of.privileged ? ['remove securityContext.privileged'] : []),
      ...(of.capabilities?.drop?.includes('ALL') ? [] : ['set securityContext.capabilities.drop: [ALL]']),
      ...(of.capabilities?.add?.length ? [`remove capabilities.add: ${of.capabilities.add.join(', ')}`] : []),
    ],
  ),
  container('read-only-root', 'kube-linter no-read-only-root-fs', ({ securityContext }) =>
    securityContext?.readOnlyRootFilesystem === true
      ? []
      : ['set securityContext.readOnlyRootFilesystem: true, with an emptyDir where it writes'],
  ),
  container(
    'resources',
    'kube-linter unset-cpu-requirements, unset-memory-requirements; kube-score container-ephemeral-storage-request-and-limit',
    ({ resources: { requests = {}, limits = {} } = {} }) => [
      ...['cpu', 'memory', 'ephemeral-storage']
        .filter((what) => !requests[what])
        .map((what) => `set resources.requests.${what}`),
      ...['memory', 'ephemeral-storage'].filter((what) => !limits[what]).map((what) => `set resources.limits.${what}`),
    ],
  ),
  container('cpu-limit', 'polaris cpuLimitsMissing', ({ resources }) =>
    resources?.limits?.['cpu'] ? [] : ['set resources.limits.cpu'],
  ),
  container('pinned-image', 'kube-linter latest-tag; polaris tagNotSpecified', ({ image = '' }) =>
    /@sha256:[0-9a-f]{64}$/.test(image) || /:(?!latest$)[^/:]+$/.test(image)
      ? []
      : [`image ${image || '(none)'}: give a tag other than latest, or a digest, in images: of the overlay`],
  ),
  container('always-pull', 'kube-score container-image-pull-policy', ({ imagePullPolicy }) =>
    imagePullPolicy === 'Always' ? [] : ['set imagePullPolicy: Always'],
  ),
  container('no-secret-in-env', 'kube-linter env-var-secret; polaris', ({ env = [], envFrom = [] }) => [
    ...env
      .filter(
        ({ name, value, valueFrom }) =>
          valueFrom?.secretKeyRef ?? (value !== undefined && /(PASSWORD|TOKEN|SECRET|SEED|API_KEY)$/.test(name)),
      )
      .map(({ name }) => `${name}: mount the Secret as a file, and name the file (${name}_FILE)`),
    ...envFrom
      .filter(({ secretRef }) => secretRef)
      .map(({ secretRef }) => `envFrom ${secretRef!.name}: mount the Secret as files`),
  ]),
]

function pod(name: string, askedBy: string, faults: (spec: PodSpec) => string[]): Rule {
  return rule(name, askedBy, ({ pod: spec }) => faults(spec))
}

function container(name: string, askedBy: string, faults: (one: Container) => string[]): Rule {
  return rule(name, askedBy, (starter) =>
    containersOf(starter).flatMap((one) => faults(one).map((fix) => `container ${one.name}: ${fix}`)),
  )
}

function rule(name: string, askedBy: string, faults: (starter: Starter) => string[]): Rule {
  const find = ({ starters }: Cluster): Finding[] =>
    starters.flatMap((starter) => faults(starter).map((fix) => ({ object: starter.title, fix })))
  return { name, askedBy, find }
}
