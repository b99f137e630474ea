import { epochOf, type Mesh, nanosOf } from '@malha/mesh'
import type { ConsumerInfo, StreamInfo } from '@nats-io/jetstream'
import { readAdvisories } from '../read/advisories.ts'
import { lastOf, nextOf } from '../read/direct.ts'
import { advisoryStreamOf } from './advisories.ts'
import { consumerName } from './consumers.ts'
import type { Facts } from './facts.ts'
import { type Finding, findingsOf } from './finding.ts'

const { fail } = findingsOf('consumers')

/** Messages of a durable that are looked at. */
const MOST = 200
const NAMED = 10

/**
 * Messages that the server delivered as often as a durable allows, and will not deliver again: neither done, nor a letter, nor
 * on the lane. The server tells of some by an advisory and of most by nothing (docs/adr/0026-a-suspect-is-tried-alone.md), so
 * they are looked for where a durable has, or had, a limit.
 */
export async function checkGivenUp(mesh: Mesh, { durables, streams }: Facts): Promise<Finding[]> {
  const limited = durables.filter(({ now }) => mayHaveGivenUp(now))
  const isCaptured = advisoryStreamOf(streams) !== undefined
  const found = await Promise.all(
    limited.map(async ({ now }) => {
      const stream = streams.find(({ config }) => config.name === now.stream_name)
      const isOfEvents = stream?.config.metadata?.['malha.kind'] === 'events'
      return isOfEvents ? await lostOf(mesh, stream, { durable: now, isCaptured }) : []
    }),
  )
  return found.flat()
}

/** It has a limit, or counts more as delivered again than are unanswered. */
const mayHaveGivenUp = ({ config, num_redelivered: again, num_ack_pending: unacked }: ConsumerInfo): boolean =>
  config.metadata?.['malha.handler'] !== undefined && ((config.max_deliver ?? -1) > 0 || again > unacked)

async function lostOf(
  mesh: Mesh,
  stream: StreamInfo,
  { durable, isCaptured }: { durable: ConsumerInfo; isCaptured: boolean },
): Promise<Finding[]> {
  const { names } = mesh
  const { 'malha.service': service = '', 'malha.handler': handler = '' } = durable.config.metadata ?? {}
  const [from, to] = [durable.ack_floor.stream_seq + 1, durable.delivered.stream_seq]
  const subject = durable.config.filter_subject
  const messages = await nextOf(mesh, durable.stream_name, { seq: from, most: MOST, ...(subject && { subject }) })
  const unsettled = messages.filter(({ seq }) => seq <= to)
  const owner = names.durable(service, handler)
  const places = unsettled.map(({ seq, timestamp }) => {
    const place = { stream: durable.stream_name, epoch: epochOf(stream), seq, storedAt: nanosOf(timestamp) }
    const letter = names.deadLetter(owner, place)
    const tail = names.strip(letter).split('.').slice(2).join('.')
    return { seq, letter, copy: names.subject(`lane.${service}.${handler}.at.${tail}`) }
  })
  const [letters, copies] = await Promise.all([
    lastOf(
      mesh,
      names.stream('DEAD_LETTERS'),
      places.map(({ letter }) => letter),
    ),
    lastOf(
      mesh,
      names.lanes(service),
      places.map(({ copy }) => copy),
    ),
  ])
  const known = new Set([...letters, ...copies].map((one) => one.subject))
  const lost = places.filter(({ letter, copy }) => !known.has(letter) && !known.has(copy)).map(({ seq }) => seq)
  if (lost.length === 0) return []
  const place = { stream: durable.stream_name, durable: durable.name }
  const told = isCaptured ? new Set((await readAdvisories(mesh, place)).map(({ seq }) => seq)) : undefined
  const untold = told && lost.filter((seq) => !told.has(seq)).length
  const evidence =
    untold === undefined
      ? ''
      : `; the server told of ${lost.length - untold}, ${untold === 0 ? 'so no advisory is lost' : `and ${untold} advisories are lost, or never were`}`
  const shown = `${lost.slice(0, NAMED).join(', ')}${lost.length > NAMED ? ' …' : ''}`
  return [
    fail(
      consumerName(durable),
      `of what it delivered and nobody settled ${lost.length}${messages.length === MOST ? ' or more' : ''} have neither a letter nor a place on the lane: sequences ${shown}${evidence}`,
      `start ${service}, or restart its instances: each sets such a durable back, and what was given up is delivered again`,
    ),
  ]
}
