import { effectsOf, dueOf, isLetter, publishedAs, unstore, type Plant } from './plant.ts'
import { handlers, store } from './valid-run.ts'

export const eventPlants: readonly Plant[] = [
  {
    title: 'an acknowledged delivery without its effect',
    plant(run, pick) {
      const lost = pick(effectsOf(run))
      if (!lost) return undefined
      run.operations = run.operations.filter(
        (one) => one.op !== 'effect' || one.id !== lost.id || one.handler !== lost.handler,
      )
      return { rule: 'handled-once', id: lost.id, handler: lost.handler }
    },
  },
  {
    title: 'an effect twice',
    plant(run, pick) {
      const once = new Set(handlers.flatMap(({ handler, effect }) => (effect === 'once' ? [handler] : [])))
      const twice = pick(effectsOf(run).filter(({ handler }) => once.has(handler)))
      if (!twice) return undefined
      run.operations.push({ ...twice, at: twice.at + 1 })
      return { rule: 'handled-once', id: twice.id, handler: twice.handler }
    },
  },
  {
    title: 'a message stored twice',
    plant(run, pick) {
      const twice = pick(
        run.final.streams.filter(
          (one) => !isLetter(one) && one.type !== 'job.closed' && dueOf(run, one.id) === undefined,
        ),
      )
      if (!twice) return undefined
      const { stream, id, type } = twice
      store(run, { stream, id, type, at: 10_000 })
      return { rule: 'stored-once', id: twice.id }
    },
  },
  {
    title: 'an acknowledged message that no stream has',
    plant(run, pick) {
      const acknowledged = new Set(publishedAs(run, 'ok'))
      const lost = pick(
        run.final.streams.filter(
          (one) => !isLetter(one) && acknowledged.has(one.id) && dueOf(run, one.id) === undefined,
        ),
      )
      if (!lost) return undefined
      unstore(run, lost)
      return { rule: 'stored-once', id: lost.id }
    },
  },
  {
    title: 'a message stored whose publish was refused',
    plant(run, pick) {
      const refused = pick(
        run.operations.filter((one) => one.op === 'publish' && one.phase === 'fail' && one.due === undefined),
      )
      if (refused?.op !== 'publish') return undefined
      // Nobody handles this type, so that being stored is all that is wrong.
      store(run, { stream: 'OTHER', id: refused.id, type: 'other.type', at: 10_000 })
      for (const one of run.operations) if (one.op === 'publish' && one.id === refused.id) one.type = 'other.type'
      return { rule: 'stored-once', id: refused.id }
    },
  },
  {
    title: 'an output that was never stored',
    plant(run, pick) {
      const output = pick(run.final.streams.filter(({ causation }) => causation !== undefined))
      if (!output) return undefined
      unstore(run, output)
      return { rule: 'stored-once', id: output.causation! }
    },
  },
  {
    title: 'two events of a key in another order',
    plant(run, pick) {
      const ordered = effectsOf(run)
        .filter(({ handler }) => handler === 'steps.count')
        .map((effect) => ({ effect, index: run.operations.indexOf(effect) }))
      const pairs = ordered.flatMap((one, nth) => {
        const next = ordered.slice(nth + 1).find(({ effect }) => effect.key === one.effect.key)
        return next ? [{ one, next }] : []
      })
      const pair = pick(pairs)
      if (!pair) return undefined
      const { one, next } = pair
      run.operations[one.index] = { ...next.effect, at: one.effect.at }
      run.operations[next.index] = { ...one.effect, at: next.effect.at }
      return { rule: 'order-of-a-key', id: one.effect.id, handler: one.effect.handler }
    },
  },
  {
    title: 'two events of a key in another order in their stream',
    plant(run, pick) {
      const acknowledged = run.operations.flatMap((one) =>
        one.op === 'publish' && one.phase === 'ok' && one.type === 'job.made' ? [one] : [],
      )
      const pair = pick(
        acknowledged.flatMap((one) => {
          const next = acknowledged.find(({ id, key, n = 0 }) => id !== one.id && key === one.key && n > (one.n ?? 0))
          return next ? [[one.id, next.id] as const] : []
        }),
      )
      if (!pair) return undefined
      for (const entries of [run.final.streams, run.final.archive]) {
        const [one, next] = pair.map((id) => entries.find((entry) => entry.stream === 'JOBS' && entry.id === id)!)
        ;[one!.seq, next!.seq] = [next!.seq, one!.seq]
      }
      return { rule: 'order-of-a-key', id: pair[0] }
    },
  },
  {
    title: 'an effect with the data of another message',
    plant(run, pick) {
      const mixed = pick(effectsOf(run))
      if (!mixed) return undefined
      mixed.of = 'another-s'
      return { rule: 'published-before-handled', id: mixed.id, handler: mixed.handler }
    },
  },
  {
    title: 'a message handled again that its inbox knew',
    plant(run, pick) {
      const handled = pick(run.operations.flatMap((one) => (one.op === 'handled' ? [one] : [])))
      if (!handled) return undefined
      const { handler, id, at } = handled
      run.operations.push({ op: 'delivery', handler, id, attempt: 2, at: at + 5000, process: handler })
      return { rule: 'handled-once', id, handler }
    },
  },
  {
    title: 'a message that did not come to its end',
    plant(run, pick) {
      const closed = pick(run.final.streams.filter(({ type }) => type === 'job.closed'))
      if (!closed) return undefined
      unstore(run, closed)
      return { rule: 'stored-once', id: closed.causation! }
    },
  },
  {
    title: 'an effect of a message that nobody published',
    plant(run, pick) {
      const { handler } = pick(handlers)!
      run.operations.push({ op: 'effect', handler, id: 'nobody-s', at: 10_000, process: handler })
      return { rule: 'published-before-handled', id: 'nobody-s', handler }
    },
  },
  {
    title: 'an effect of a message whose publish was refused',
    plant(run, pick) {
      const id = pick(publishedAs(run, 'fail'))
      if (id === undefined) return undefined
      const type = run.operations.flatMap((one) => (one.op === 'publish' && one.id === id ? [one.type] : []))[0]
      const { handler } = handlers.find((one) => one.type === type)!
      run.operations.push({ op: 'effect', handler, id, at: 10_000, process: handler })
      return { rule: 'published-before-handled', id, handler }
    },
  },
  {
    title: 'a stored message that nobody published',
    plant(run) {
      store(run, { stream: 'OTHER', id: 'nobody-s', type: 'other.type', at: 1 })
      return { rule: 'published-before-handled', id: 'nobody-s' }
    },
  },
]
