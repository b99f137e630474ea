import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { faultsOf, render } from '@malha/deploy/rendered'
import { exceptions } from '@malha/deploy/policies/exceptions'
import { check, rules } from '@malha/deploy/policies/check'
import { clusterIn } from '@malha/deploy/rendered'
import { schemaFaults } from '@malha/deploy/schemas/validate'
import { jaegerLinks } from '@malha/stack'
import { beforeAll, expect, test } from 'vitest'
import { root } from '../docs/pages.ts'

type Objects = Awaited<ReturnType<typeof render>>
type Rendered = Objects[number]

const overlays = ['dev', 'staging', 'production'] as const
const rendered = new Map<string, Objects>()
beforeAll(async () => {
  for (const overlay of overlays) rendered.set(overlay, await render(join(root, 'deploy/overlays', overlay)))
}, 120_000)
const copyOf = (overlay: (typeof overlays)[number]): Objects => structuredClone(rendered.get(overlay)!)

/** One of the objects, to be looked at or changed. */
function one(objects: Objects, kind: string, name: string): Rendered {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name)
  if (!found) throw new Error(`there is no ${kind} ${name}`)
  return found
}

/** Of the overlay staging, changed: what the rules find. */
function found(change: (objects: Objects) => void, overlay: (typeof overlays)[number] = 'staging'): string[] {
  const objects = copyOf(overlay)
  change(objects)
  return check(clusterIn(overlay, objects)).violations.map(({ rule, object, fix }) => `${rule} | ${object}: ${fix}`)
}

test.each(overlays)('%s renders; each object fits its schema, and no rule finds anything', (overlay) => {
  expect(faultsOf(overlay, rendered.get(overlay)!)).toEqual([])
})

test('each exception is needed by some overlay', () => {
  const used = overlays.flatMap((overlay) => [...check(clusterIn(overlay, rendered.get(overlay)!)).used])
  expect(exceptions.filter((exception) => !used.includes(exception))).toEqual([])
})

test('nothing is rendered twice, and all images of an overlay of ours have one tag', () => {
  for (const objects of rendered.values()) {
    const titles = objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace} ${metadata.name}`)
    expect(titles.filter((title, at) => titles.indexOf(title) !== at)).toEqual([])
    const images = JSON.stringify(objects).matchAll(/"image":"([^"]*malha\/[^"]*)"/g)
    expect(new Set([...images].map(([, image]) => image!.split(':')[1])).size).toBe(1)
  }
})

test.each(overlays)('%s: the page of Jaeger leads to the console of that overlay', (overlay) => {
  const dataOf = (name: RegExp): Readonly<Record<string, string>> =>
    rendered.get(overlay)!.find(({ kind, metadata }) => kind === 'ConfigMap' && name.test(metadata.name))?.data ?? {}
  const origin = dataOf(/^console-/)['CONSOLE_ORIGIN']!
  expect(JSON.parse(dataOf(/^jaeger-page-/)['ui.json']!)).toEqual(jaegerLinks(origin))
})

const misfits: readonly [string, string, string, (object: Rendered) => void, RegExp][] = [
  [
    'a field that is unknown',
    'Deployment',
    'provider',
    ({ spec }) => (spec.template.spec.containers[0].livenesProbe = {}),
    /containers\/0 has livenesProbe, which is unknown there/,
  ],
  [
    'a text for a number',
    'Deployment',
    'provider',
    ({ spec }) => (spec.minReadySeconds = '5'),
    /minReadySeconds must be integer/,
  ],
  [
    'a number for a text',
    'Deployment',
    'provider',
    ({ spec }) => (spec.template.spec.containers[0].env[0].value = 1),
    /env\/0\/value must be string/,
  ],
  [
    'of KEDA',
    'ScaledObject',
    'provider',
    ({ spec }) => (spec.maxReplicas = 3),
    /spec has maxReplicas, which is unknown/,
  ],
  ['of NACK', 'Stream', 'centers', ({ spec }) => (spec.maxAge = 3600), /maxAge must be string/],
  [
    'of NACK',
    'Consumer',
    'centers-provider-maas',
    ({ spec }) => (spec.ackpolicy = 'explicit'),
    /spec has ackpolicy, which is unknown/,
  ],
  [
    'of the Prometheus operator',
    'PodMonitor',
    'malha',
    ({ spec }) => (spec.endpoints = []),
    /spec has endpoints, which is unknown/,
  ],
  [
    'of the gateway',
    'HTTPRoute',
    'console',
    ({ spec }) => (spec.hostname = 'x'),
    /spec has hostname, which is unknown/,
  ],
  [
    'of cert-manager',
    'Certificate',
    'provider-tls',
    ({ spec }) => delete spec.issuerRef,
    /must have required property 'issuerRef'/,
  ],
  [
    'inside of a pod of the ClickHouse operator',
    'ClickHouseInstallation',
    'malha',
    ({ spec }) => (spec.templates.podTemplates[0].spec.containers[0].imagePolicy = 'x'),
    /has imagePolicy, which is unknown/,
  ],
  [
    'of a kind nobody knows',
    'HTTPRoute',
    'console',
    (object) => (object.kind = 'Route'),
    /there is no schema for gateway.networking.k8s.io\/v1\/Route/,
  ],
]
test.each(misfits)('a schema refuses %s (%s)', (_, kind, name, change, fault) => {
  const object = one(copyOf('production'), kind, name)
  change(object)
  expect(schemaFaults(object).join('\n')).toMatch(fault)
})

const pod = (objects: Objects, name = 'provider', kind = 'Deployment') => one(objects, kind, name).spec.template.spec
const main = (objects: Objects, name?: string, kind?: string) => pod(objects, name, kind).containers[0]
const gone = (objects: Objects, kind: string, name: string) =>
  void objects.splice(objects.indexOf(one(objects, kind, name)), 1)

/** What each rule is there to find, planted. */
const plants: Readonly<Record<string, [(objects: Objects) => unknown, RegExp][]>> = {
  'non-root': [[(all) => (pod(all).securityContext.runAsNonRoot = false), /runAsNonRoot: true/]],
  'high-ids': [[(all) => (pod(all).securityContext.runAsUser = 1000), /above 10000/]],
  seccomp: [[(all) => delete pod(all).securityContext.seccompProfile, /RuntimeDefault/]],
  'nothing-of-the-host': [
    [(all) => (pod(all).hostNetwork = true), /remove hostNetwork/],
    [(all) => pod(all).volumes.push({ name: 'node', hostPath: { path: '/' } }), /volume node: a hostPath/],
  ],
  'no-token': [[(all) => delete pod(all).automountServiceAccountToken, /automountServiceAccountToken: false/]],
  'bounded-scratch': [
    [(all) => pod(all).volumes.push({ name: 'free', emptyDir: {} }), /volume free: set emptyDir.sizeLimit/],
  ],
  'readable-secrets': [
    [
      (all) => (pod(all).volumes.find((one: { name: string }) => one.name === 'nats').secret.defaultMode = 0o644),
      /volume nats: set defaultMode: 0400; with 644/,
    ],
    [(all) => delete pod(all).securityContext.fsGroup, /volume nats: set securityContext.fsGroup/],
  ],
  'priority-class': [],
  'no-privileges': [
    [(all) => (main(all).securityContext.allowPrivilegeEscalation = true), /allowPrivilegeEscalation: false/],
    [(all) => (main(all).securityContext.capabilities = { add: ['NET_ADMIN'] }), /remove capabilities.add: NET_ADMIN/],
    [(all) => (main(all).securityContext.privileged = true), /remove securityContext.privileged/],
  ],
  'read-only-root': [
    [(all) => (main(all).securityContext.readOnlyRootFilesystem = false), /readOnlyRootFilesystem: true/],
  ],
  resources: [
    [(all) => delete main(all).resources.limits['ephemeral-storage'], /set resources.limits.ephemeral-storage/],
    [(all) => delete main(all).resources.requests.cpu, /set resources.requests.cpu/],
  ],
  'cpu-limit': [],
  'pinned-image': [
    [(all) => (main(all).image = 'malha/provider:latest'), /give a tag other than latest/],
    [(all) => (main(all).image = 'registry.example.com:5000/malha/provider'), /give a tag other than latest/],
  ],
  'always-pull': [],
  'no-secret-in-env': [
    [
      (all) => main(all).env.push({ name: 'A', valueFrom: { secretKeyRef: { name: 'clickhouse', key: 'password' } } }),
      /A: mount the Secret as a file/,
    ],
    [(all) => main(all).env.push({ name: 'NATS_PASSWORD', value: 'x' }), /NATS_PASSWORD: mount/],
  ],
  probes: [
    [(all) => delete main(all).livenessProbe, /give it a livenessProbe/],
    [
      (all) => (main(all).readinessProbe.httpGet.port = 'http'),
      /readinessProbe asks at port http, which is none of its ports/,
    ],
  ],
  'different-probes': [[(all) => (main(all).readinessProbe.httpGet.path = '/livez'), /ask for readiness elsewhere/]],
  'lives-by-itself': [[(all) => (main(all).livenessProbe.httpGet.path = '/readyz'), /ask \/livez for life/]],
  spread: [
    [(all) => delete pod(all, 'archive').affinity, /set affinity.podAntiAffinity/],
    [
      (all) => (pod(all, 'archive').topologySpreadConstraints[0].labelSelector.matchLabels = { a: 'b' }),
      /labelSelector.matchLabels is not of its pods/,
    ],
  ],
  'two-copies': [
    [(all) => (one(all, 'Deployment', 'archive').spec.replicas = 1), /archive: set replicas to 2/],
    [
      (all) => (one(all, 'Deployment', 'provider').spec.replicas = 3),
      /remove replicas: ScaledObject malha\/provider counts/,
    ],
  ],
  'disruption-budget': [
    [(all) => gone(all, 'PodDisruptionBudget', 'archive'), /archive: give it a PodDisruptionBudget/],
    [(all) => (one(all, 'PodDisruptionBudget', 'archive').spec.maxUnavailable = 0), /no node can be emptied/],
  ],
  'rolls-without-a-gap': [
    [
      (all) => (one(all, 'Deployment', 'provider').spec.strategy.rollingUpdate.maxUnavailable = 1),
      /maxUnavailable: 0 and maxSurge: 1/,
    ],
  ],
  'time-to-drain': [
    [(all) => (pod(all).terminationGracePeriodSeconds = 30), /terminationGracePeriodSeconds is 30/],
    [(all) => delete main(all, 'console').lifecycle, /console: container main: set lifecycle.preStop/],
  ],
  'kept-spool': [
    [
      (all) => {
        const { spec } = one(all, 'StatefulSet', 'distribution-center')
        delete spec.volumeClaimTemplates
        spec.template.spec.volumes.push({ name: 'spool', emptyDir: { sizeLimit: '1Gi' } })
      },
      /MALHA_SPOOL_FILE is \/var\/lib\/malha\/spool.db, which is on no volume of its own.*components\/no-spool/,
    ],
  ],
  'restricted-namespaces': [[(all) => (one(all, 'Namespace', 'malha').metadata.labels = {}), /enforce: restricted/]],
  'walled-pods': [
    [(all) => gone(all, 'NetworkPolicy', 'provider'), /provider: give it a NetworkPolicy/],
    [(all) => gone(all, 'NetworkPolicy', 'default-deny'), /namespace \w+: add a NetworkPolicy that denies all/],
  ],
  'own-service-account': [
    [(all) => delete pod(all).serviceAccountName, /give it a ServiceAccount of its own/],
    [(all) => gone(all, 'ServiceAccount', 'provider'), /its ServiceAccount provider is nowhere/],
  ],
  'selectors-match': [
    [(all) => (one(all, 'Deployment', 'provider').spec.selector.matchLabels = { a: 'b' }), /selector does not match/],
  ],
  'services-lead-somewhere': [
    [
      (all) => (one(all, 'Service', 'console').spec.selector = { a: 'b' }),
      /Service malha\/console: its selector matches no pods/,
    ],
    [(all) => (one(all, 'Service', 'console').spec.ports[0].targetPort = 'web'), /its targetPort web is no port/],
    [
      (all) => gone(all, 'Service', 'distribution-center-pods'),
      /its serviceName distribution-center-pods is no Service/,
    ],
  ],
  'routes-lead-somewhere': [
    [
      (all) => (one(all, 'HTTPRoute', 'console').spec.rules[0].backendRefs[0].port = 81),
      /no Service console with port 81/,
    ],
  ],
  'policies-and-budgets-hit': [
    [
      (all) => (one(all, 'NetworkPolicy', 'provider').spec.podSelector = { matchLabels: { a: 'b' } }),
      /NetworkPolicy malha\/provider: it selects no pods/,
    ],
  ],
  'jobs-end': [
    [(all) => delete one(all, 'Job', 'provision').spec.ttlSecondsAfterFinished, /set ttlSecondsAfterFinished/],
  ],
  'config-maps-exist': [
    [(all) => main(all).envFrom.push({ configMapRef: { name: 'none' } }), /ConfigMap none is nowhere/],
  ],
  'secrets-exist': [
    [
      (all) =>
        (pod(all).volumes.find((one: { name: string }) => one.name === 'nats').secret.secretName = 'provider-nat'),
      /Deployment malha\/provider: Secret malha\/provider-nat is made by no manifest and is not in deploy\/secrets.yaml: list it there .* or correct the name; there is provider-nats, provider-tls/,
    ],
    [
      (all) =>
        (main(all, 'archive').env.find((one: { name: string }) => one.name === 'CLICKHOUSE_PASSWORD_FILE').value =
          '/var/run/secrets/malha/clickhouse/pass'),
      /Secret malha\/clickhouse has no key pass, but password/,
    ],
    [(all) => gone(all, 'Certificate', 'provider-tls'), /Secret malha\/provider-tls is made by no manifest/],
    [
      (all) =>
        (one(all, 'ClickHouseInstallation', 'malha').spec.configuration.users[
          'malha/password'
        ].valueFrom.secretKeyRef.name = 'db'),
      /ClickHouseInstallation clickhouse\/malha: Secret clickhouse\/db is made by no manifest/,
    ],
  ],
  'scaled-by-what-exists': [
    [
      (all) => (one(all, 'ScaledObject', 'provider').spec.triggers[0].metadata.consumer = 'provider_seninha'),
      /no handler has a durable provider_seninha on stream CENTERS, so KEDA would know nothing of it; there is provider_senninha, provider_senninha_keyed, provider_maas/,
    ],
    [
      (all) => (one(all, 'ScaledObject', 'provider').spec.scaleTargetRef.name = 'providers'),
      /its target, Deployment providers, is nowhere/,
    ],
  ],
  'useful-copies': [
    [
      (all) => (one(all, 'ScaledObject', 'provider').spec.maxReplicaCount = 500),
      /maxReplicaCount is 500, and beyond 125 a copy idles \(handler \w+: 2000 in hand at most, 16 a copy\): set scale.most in deploy\/mesh.ts, or the patch, to 125 at most/,
    ],
    [(all) => (one(all, 'ScaledObject', 'provider').spec.minReplicaCount = 0), /set minReplicaCount to 1 at least/],
  ],
}
const allExcepted = ['priority-class', 'cpu-limit', 'always-pull']

test('for each rule something is planted, but for those that hold for nothing', () => {
  expect(Object.keys(plants).toSorted()).toEqual(rules.map(({ name }) => name).toSorted())
  expect(
    Object.entries(plants)
      .flatMap(([rule, all]) => (all.length === 0 ? [rule] : []))
      .toSorted(),
  ).toEqual(allExcepted.toSorted())
})

test.each(Object.entries(plants).flatMap(([rule, all]) => all.map(([change, fix]) => ({ rule, change, fix }))))(
  'the rule $rule finds what is planted: $fix',
  ({ rule, change, fix }) => {
    const lines = found(change).filter((line) => line.startsWith(`${rule} | `))
    expect(lines.join('\n')).toMatch(fix)
  },
)

test('the deployment of production keeps no copy alone that dev may', () => {
  const lines = found((all) => (one(all, 'Deployment', 'archive').spec.replicas = 1), 'production')
  expect(lines.join('\n')).toMatch(/two-copies \| Deployment malha\/archive/)
})

test('without a volume there is no spool, and no other file in its place', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'deploy-'))
  try {
    await cp(join(root, 'deploy'), join(dir, 'deploy'), {
      recursive: true,
      filter: (path) => !path.includes('node_modules'),
    })
    const place = join(dir, 'deploy/overlays/nowhere')
    await cp(join(dir, 'deploy/overlays/dev'), place, { recursive: true })
    const text =
      'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../dev]\ncomponents: [../../components/no-spool]\n'
    await writeFile(join(place, 'kustomization.yaml'), text)
    const objects = await render(place)
    const { spec } = one(objects, 'StatefulSet', 'distribution-center')
    expect(spec.volumeClaimTemplates).toBeUndefined()
    expect(JSON.stringify(spec)).not.toMatch(/spool/i)
    expect(faultsOf('dev', objects)).toEqual([])
  } finally {
    await rm(dir, { recursive: true })
  }
})
