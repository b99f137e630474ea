import { command, type Contract, event, stream } from '@malha/mesh'
import { aggregate, given, openAggregate, projection, readProjection, saga, begins, send, step } from '@malha/patterns'
import { expectTypeOf, test } from 'vitest'
import { z } from 'zod'

const tills = stream('TILLS', { subjects: ['till.>'] })
const base = { stream: tills, key: ({ id }: { id: string }) => id }
const opened = event('till.opened', { ...base, schema: z.object({ id: z.string() }) })
const added = event('till.added', { ...base, schema: z.object({ id: z.string(), cents: z.coerce.number() }) })
const close: Contract<{ id: string }> = command('till.close', { ...base, schema: z.object({ id: z.string() }) })

const till = aggregate('till', {
  events: { opened, added },
  initial: () => ({ cents: 0 }),
  decide: (state, command: { add: number }) => {
    expectTypeOf(state).toEqualTypeOf<{ cents: number }>()
    return [{ type: 'added', data: { id: 'a', cents: String(command.add) } }]
  },
  evolve: (state, event) => {
    if (event.type === 'opened') return state
    // What was published as text comes as a number.
    expectTypeOf(event.data).toEqualTypeOf<{ id: string; cents: number }>()
    return { cents: state.cents + event.data.cents }
  },
})

test('an aggregate’s state, commands and events are those of its functions', async () => {
  const open = await openAggregate({} as never, till)
  expectTypeOf<Parameters<typeof open.execute>[1]>().toEqualTypeOf<{ add: number }>()
  expectTypeOf((await open.load('a')).state).toEqualTypeOf<{ cents: number }>()
  given(till, [{ type: 'added', data: { id: 'a', cents: 1 } }]).when({ add: 1 })
  // @ts-expect-error -- it has no such event
  given(till, [{ type: 'removed', data: { id: 'a' } }])
  // @ts-expect-error -- it has no such command
  given(till).when({ take: 1 })
})

test('a saga’s steps take its state and the data of their event, and send what a contract takes', () => {
  type State = { cents: number }
  saga<State>('till', {
    sends: [close],
    steps: {
      opened: begins(opened, ({ id }) => ({ state: { cents: 0 }, send: [send(close, { id })] })),
      added: step(added, (state, { cents }) => {
        expectTypeOf(state).toEqualTypeOf<State>()
        expectTypeOf(cents).toEqualTypeOf<number>()
        return { state: { cents: state.cents + cents } }
      }),
    },
  })
  // @ts-expect-error -- a close has an id
  send(close, { cents: 1 })
  // @ts-expect-error -- the state has cents
  saga<State>('till', { sends: [], steps: { opened: begins(opened, () => ({ state: { euros: 1 } })) } })
})

test('a projection’s readers get its view', async () => {
  const sums = projection('sums', {
    version: 1,
    events: { added },
    project: (view: { cents: number } | undefined, { data }) => ({ cents: (view?.cents ?? 0) + data.cents }),
  })
  const reader = await readProjection({} as never, sums)
  expectTypeOf(await reader.get('a')).toEqualTypeOf<{ cents: number } | undefined>()
})
