/**
 * A defect that a process of a run gets for the run alone, to show that the rule it breaks finds it. The source is changed
 * as Node loads it (`load-plant.ts`); nothing of it is in what is shipped.
 */
export type Plant = {
  readonly name: string
  /** What goes wrong, in a sentence. */
  readonly does: string
  /** The rule that must find it. */
  readonly rule: string
  /** Which processes have it: those whose names begin so. */
  readonly processes: string
  /** The source that is changed, from the root of the project. */
  readonly file: string
  /** Stands there once, and becomes the other. `chaosPlant(id)` there: whether this message is one to be hit. */
  readonly from: string
  readonly to: string
}

export const plants: readonly Plant[] = [
  {
    name: 'lost-ack',
    does: 'acknowledges a message whose handler has done nothing',
    rule: 'handled-once',
    processes: 'load-worker',
    file: 'test/chaos/workload/worker.ts',
    from: 'act: (handler, data, ctx) => write(handler, ctx.id, data, ctx),',
    to: `act: async (handler, data, ctx) => {
      if (handler !== 'note' || !chaosPlant(ctx.id)) await write(handler, ctx.id, data, ctx)
    },`,
  },
  {
    name: 'double-publish',
    does: 'publishes a message a second time, under another id for the de-duplication of the server',
    rule: 'stored-once',
    processes: 'load-publisher',
    file: 'packages/mesh/src/publish/pipeline.ts',
    from: 'else this.#write(request, pending.block!, reply)',
    to: `else {
        this.#write(request, pending.block!, reply)
        const { text } = pending.block
        const id = text.match(/^ce-id: (.*)$/m)?.[1].trim()
        if (request.subject === 'load.noted' && chaosPlant(id)) {
          const again = Buffer.from(text.replace('Nats-Msg-Id: ' + id, 'Nats-Msg-Id: ' + id + '-again'))
          this.#nc.publish(request.subject, request.payload, { headers: { encode: () => again } })
        }
      }`,
  },
  {
    name: 'swapped-order',
    does: 'has the effect of an event of a key only after that of the next one',
    rule: 'order-of-a-key',
    processes: 'load-worker',
    file: 'test/chaos/workload/worker.ts',
    from: 'act: (handler, data, ctx) => write(handler, ctx.id, data, ctx),',
    to: `act: async (handler, data, ctx) => {
      globalThis.chaosLate ??= new Map()
      const late = chaosLate.get(data.key)
      if (handler === 'walk' && late === undefined && chaosPlant(ctx.id)) {
        const signal = AbortSignal.timeout(60_000)
        const late = () => write(handler, ctx.id, data, { id: ctx.id, signal })
        chaosLate.set(data.key, late)
        // None came after it: late, but in order.
        setTimeout(() => chaosLate.get(data.key) === late && chaosLate.delete(data.key) && late(), 12_000)
        return
      }
      await write(handler, ctx.id, data, ctx)
      if (handler !== 'walk') return
      chaosLate.delete(data.key)
      await late?.()
    },`,
  },
  {
    name: 'invented',
    does: 'has an effect for a message that nobody published',
    rule: 'published-before-handled',
    processes: 'load-worker',
    file: 'test/chaos/workload/worker.ts',
    from: 'act: (handler, data, ctx) => write(handler, ctx.id, data, ctx),',
    to: `act: async (handler, data, ctx) => {
      await write(handler, ctx.id, data, ctx)
      const id = ctx.id + '-invented'
      if (handler === 'note' && chaosPlant(id)) await write(handler, id, data, { id, signal: ctx.signal })
    },`,
  },
  {
    name: 'early',
    does: 'has a delayed message come two seconds early',
    rule: 'delayed-in-time',
    processes: 'load-publisher',
    file: 'packages/mesh/src/delay/delay.ts',
    from: 'return { when: { inMs: Math.max(0, deliverIn) }, key: delayKey }',
    to: `{
    const isHit = deliverIn > 3000 && chaosPlant(options.id)
    return { when: { inMs: Math.max(0, isHit ? deliverIn - 2000 : deliverIn) }, key: delayKey }
  }`,
  },
  {
    name: 'skipped-row',
    does: 'leaves a message out of the rows that it stores',
    rule: 'archive-has-the-streams',
    processes: 'archive',
    file: 'packages/archive/src/write/row-buffer.ts',
    from: 'const rows = taken.filter(({ isMarker }) => !isMarker).map(({ row }) => row)',
    to: `const isKept = ([, , , , id, type]) => type !== 'load.noted' || !chaosPlant(id)
    const rows = taken.filter(({ isMarker }) => !isMarker).map(({ row }) => row).filter(isKept)`,
  },
  {
    name: 'dropped-letter',
    does: 'terms a message without storing its dead letter',
    rule: 'dead-letters',
    processes: 'load-worker',
    file: 'packages/mesh/src/failure/dead-letter.ts',
    from: '  const { source, cause } = letter\n',
    to: `  const { source, cause } = letter
  if (chaosPlant(letter.own.find(([name]) => name === 'ce-id')?.[1])) return
`,
  },
]

/** How many messages one process hits. */
const MOST_HITS = 3

/** What a process finds in its environment to have a plant. */
export type PlantEnv = {
  CHAOS_PLANT: string
  /** Where it writes down which messages it hit: `{"plant","id"}`, a line each. */
  CHAOS_PLANTED: string
  /** The calls of `chaosPlant` that are hit: from this one on, each so many after the one before. */
  CHAOS_PLANT_FROM: string
  CHAOS_PLANT_EVERY: string
  CHAOS_PLANT_MOST: string
}

/** Which messages are hit follows from the seed, as far as they come in the same order. */
export function plantEnv(name: string, { seed, planted }: { seed: number; planted: string }): PlantEnv {
  return {
    CHAOS_PLANT: name,
    CHAOS_PLANTED: planted,
    CHAOS_PLANT_FROM: String(2 + (seed % 5)),
    CHAOS_PLANT_EVERY: String(4 + (seed % 3)),
    CHAOS_PLANT_MOST: String(MOST_HITS),
  }
}

/** The source with the defect in it. Throws where its place is gone. */
export function planted({ name, file, from, to }: Plant, source: string): string {
  const parts = source.split(from)
  if (parts.length !== 2)
    throw new Error(
      `the plant ${name} finds its place ${parts.length - 1} times in ${file}; see what became of it: ${from}`,
    )
  return parts.join(to)
}
