import type { Names, ServiceContracts } from '@malha/mesh'
import type { Json } from './asyncapi.ts'
import { answersOf } from './asyncapi-messages.ts'
import type { KnownContract } from './known-contract.ts'

/** What is described. */
export type Said = {
  readonly services: readonly ServiceContracts[]
  readonly contracts: readonly KnownContract[]
  readonly names: Names
}

/** The channel of a type is named like it. */
export const replyChannel = (type: string): string => `${type}.reply`

const PARAMETERS = {
  partition: { description: 'FNV-1a of the key, modulo the partitions of the stream' },
  key: { description: 'the key; base64url with = before it, where it has more than letters, digits, _ and -' },
} as const

/** A channel a type: the subjects on which it is published. */
export function channelsOf({ services, contracts, names }: Said): Json {
  const channels: Record<string, unknown> = {}
  for (const contract of contracts) {
    const { type, kind, stream, key, priorities } = contract
    const messages = { [type]: { $ref: `#/components/messages/${type}` } }
    if (kind === 'request') {
      channels[type] = { address: names.request(type), title: `request ${type}`, messages }
      const answers = answersOf(services, contract).map(([name]) => [name, { $ref: `#/components/messages/${name}` }])
      // Where an answer goes, each request says itself.
      if (answers.length > 0)
        channels[replyChannel(type)] = {
          address: null,
          title: `answers of ${type}`,
          messages: Object.fromEntries(answers),
        }
      continue
    }
    const keyed = key === null ? '' : '.{partition}.{key}'
    channels[type] = {
      address: names.subject(`${type}${keyed}`),
      title: `${kind} ${type}`,
      description: [
        `In stream ${stream && names.stream(stream.name)}.`,
        ...(key === null ? [] : [`Its key is ${key}, over ${stream?.partitions} partitions.`]),
        ...(priorities ? [`Urgent ones have _high behind the type, others _low.`] : []),
      ].join(' '),
      messages,
      ...(key !== null && { parameters: PARAMETERS }),
    }
  }
  return channels
}
