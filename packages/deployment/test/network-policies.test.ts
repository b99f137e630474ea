import { expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { defineDeployment, generate } from '../src/index.ts'

const deployment = defineDeployment({
  name: 'shop',
  namespace: 'shop',
  workloads: [
    { name: 'archive', tool: 'archive', kind: 'Deployment', ports: { health: 9090 }, calls: ['clickhouse'] },
    { name: 'console', tool: 'console', kind: 'Deployment', ports: { health: 9090, http: 8080 }, calls: ['issuer'] },
    { name: 'provision', tool: 'provision', kind: 'Job', ports: {} },
  ],
})
type Rule = { from?: unknown; to?: unknown; ports: { port: number }[] }
type Policy = { metadata: { name: string; namespace: string }; spec: { ingress?: Rule[]; egress?: Rule[] } }
const policies = parseAllDocuments((await generate(deployment)).get('kubernetes/base/network-policies.yaml') ?? '').map(
  (one) => one.toJS() as Policy,
)
const portsOf = (rules: readonly Rule[] | undefined): number[] =>
  (rules ?? []).flatMap(({ ports }) => ports.map(({ port }) => port))

it.each([
  ['default-deny', [], []],
  ['dns', [], [53, 53]],
  ['archive', [9090], [4222, 4318, 8123]],
  ['console', [9090, 8080], [4222, 4318, 443]],
  ['provision', [], [4222, 4318]],
])('%s lets in %j and out %j, and no more', (name, ingress, egress) => {
  const { metadata, spec } = policies.find((one) => one.metadata.name === name)!
  expect(metadata.namespace).toBe('shop')
  expect([portsOf(spec.ingress), portsOf(spec.egress)]).toEqual([ingress, egress])
  // A rule that names nobody lets everybody through.
  for (const { from, to } of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) expect(from ?? to).toBeDefined()
})

it('what is outside is no address inside of a cluster or of a cloud beside it', () => {
  const text = JSON.stringify(policies.find(({ metadata }) => metadata.name === 'console'))
  for (const inside of ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16'])
    expect(text).toContain(inside)
})
