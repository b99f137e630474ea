import type { Nemesis } from './nemesis.ts'
import { cut, linksBetween, pairs, processesOf, silence } from './targets.ts'

/** Connections between two are reset and refused. */
export const cutLink: Nemesis = {
  name: 'cut-link',
  on: ['single', 'cluster'],
  async begin(system, random) {
    const { ends, links } = random.pick(pairs(system))
    return { target: ends.join(' ↔ '), end: await cut(links) }
  },
}

/** Connections between two stay open, and nothing comes through. */
export const stallLink: Nemesis = {
  name: 'stall-link',
  on: ['single', 'cluster'],
  begin(system, random) {
    const { ends, links } = random.pick(pairs(system))
    const undo = ends.map((speaker) => silence(links, speaker))
    const end = async (): Promise<void> => void (await Promise.all(undo.map((one) => one())))
    return Promise.resolve({ target: ends.join(' ↔ '), end })
  },
}

/** Of two, one hears the other, and is not heard. */
export const oneWayLink: Nemesis = {
  name: 'one-way-link',
  on: ['single', 'cluster'],
  begin(system, random) {
    const { ends, links } = random.pick(pairs(system))
    const [speaker, listener] = random.chance(0.5) ? ends : [ends[1], ends[0]]
    return Promise.resolve({ target: `${speaker} ↛ ${listener}`, end: silence(links, speaker) })
  },
}

const LEAST_DELAY_MS = 20
const MOST_DELAY_MS = 1_500

/** What two say to each other comes late, both ways. */
export const delayLink: Nemesis = {
  name: 'delay-link',
  on: ['single', 'cluster'],
  begin(system, random) {
    const { ends, links } = random.pick(pairs(system))
    const ms = random.int(LEAST_DELAY_MS, MOST_DELAY_MS)
    for (const { proxy } of links) proxy.delay(ms)
    const end = (): Promise<void> => {
      for (const { proxy } of links) proxy.delay(0)
      return Promise.resolve()
    }
    return Promise.resolve({ target: `${ends.join(' ↔ ')}, ${ms} ms`, end })
  },
}

/** One broker is cut off from the others; the clients it has stay with it. */
export const isolateBroker: Nemesis = {
  name: 'isolate-broker',
  on: ['cluster'],
  async begin(system, random) {
    const brokers = processesOf(system, 'broker')
    const { name } = random.pick(brokers)
    const links = brokers.flatMap((other) => linksBetween(system, name, other.name))
    return { target: name, end: await cut(links) }
  },
}
