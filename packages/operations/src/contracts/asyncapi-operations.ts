import { contains } from '@malha/mesh'
import { answersOf } from './asyncapi-messages.ts'
import { replyChannel, type Said } from './asyncapi-channels.ts'
import type { Json } from './asyncapi.ts'
import type { KnownContract } from './known-contract.ts'

/** What each service does: `<service>.<handler>` receives, `<service>.sends.<type>` sends. */
export function operationsOf(mesh: Said): Json {
  const operations: Record<string, unknown> = {}
  const byType = new Map(mesh.contracts.map((contract) => [contract.type, contract]))
  for (const { service, handlers, replies, publishes } of mesh.services) {
    const of = { tags: [{ name: service }] }
    for (const { handler, source, isTopic, stream, order } of handlers) {
      const taken = isTopic
        ? mesh.contracts.filter((one) => one.stream?.name === stream && contains(source, one.type))
        : [byType.get(source)].filter((one) => one !== undefined)
      for (const contract of taken)
        operations[isTopic ? `${service}.${handler}.${contract.type}` : `${service}.${handler}`] = {
          action: 'receive',
          ...refs(contract),
          summary: `${service}/${handler} handles ${contract.type}${order === 'key' ? ', in the order of each key' : ''}.`,
          ...of,
        }
    }
    for (const { reply, type } of replies) {
      const contract = byType.get(type)
      if (contract)
        operations[`${service}.${reply}`] = {
          ...answering(mesh, contract),
          summary: `${service}/${reply} answers ${type}.`,
          ...of,
        }
    }
    for (const type of publishes) {
      const contract = byType.get(type)
      if (contract)
        operations[`${service}.sends.${type}`] = {
          action: 'send',
          ...refs(contract),
          summary: `${service} publishes ${type}.`,
          ...of,
        }
    }
  }
  return operations
}

function refs({ type }: KnownContract): Json {
  const channel = `#/channels/${type}`
  return { channel: { $ref: channel }, messages: [{ $ref: `${channel}/messages/${type}` }] }
}

function answering({ services }: Said, contract: KnownContract): Json {
  const channel = `#/channels/${replyChannel(contract.type)}`
  const answers = answersOf(services, contract)
  return {
    action: 'receive',
    ...refs(contract),
    ...(answers.length > 0 && {
      reply: {
        channel: { $ref: channel },
        messages: answers.map(([name]) => ({ $ref: `${channel}/messages/${name}` })),
      },
    }),
    // The micro protocol's queue group: one of those that listen answers.
    bindings: { nats: { queue: 'q', bindingVersion: '0.1.0' } },
  }
}
