import {
  command,
  defineService,
  event,
  MeshError,
  on,
  onBatch,
  prepareEvent,
  reply,
  request,
  retry,
  stream,
  topic,
} from '@malha/mesh'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { readRecurrence } from '../src/delay/recurrence.ts'
import { shown } from '../src/given.ts'
import { resolveMeshOptions } from '../src/lifecycle/options.ts'
import { outgoing } from '../src/publish/outgoing.ts'
import { names } from '../src/topology/names.ts'

const jobs = stream('JOBS', { subjects: ['job.>'] })
const schema = z.object({ id: z.string() })
const made = event('job.made', { stream: jobs, schema, key: ({ id }) => id })
const quote = request('price.quote', { schema, reply: schema })
const bare: unknown = Object.create(null)
const handle = (): void => undefined
const serve = (handler: ReturnType<typeof on>): unknown => defineService('svc', { handlers: { handler } })
const publish = (contract: typeof made, options: Parameters<typeof outgoing>[1]['options']): unknown =>
  outgoing({ names: names(''), from: 'me' }, { contract, data: { id: '1' }, options })

/** What somebody without types may give; each was once an error of the language, or was taken. */
const GIVEN: Record<string, () => unknown> = {
  'a stream without options': () => stream('JOBS', undefined as never),
  'a stream with a list for a name': () => stream(['JOBS'] as never, { subjects: ['job.>'] }),
  'a stream with a symbol for an age': () => stream('JOBS', { subjects: ['job.>'], maxAgeMs: Symbol('age') as never }),
  'a stream with a text for an age': () => stream('JOBS', { subjects: ['job.>'], maxAgeMs: '5000' as never }),
  'an event without options': () => event('job.made', undefined as never),
  'an event without a stream': () => event('job.made', { schema } as never),
  'an event with a number for a type': () => event(7 as never, { stream: jobs, schema }),
  'a command whose key is no function': () => command('job.do', { stream: jobs, schema, key: 'id' as never }),
  'a codec that would begin another header': () =>
    event('job.made', { stream: jobs, schema, codec: { ...made.codec, contentType: 'a/b\r\nNats-TTL: 1s' } }),
  'a topic without a stream': () => topic(undefined as never, 'job.*'),
  'a request whose errors are none': () => request('price.quote', { schema, reply: schema, errors: 7 as never }),
  'a handler of nothing': () => serve(on(undefined as never, handle)),
  'a handler with null for options': () => serve(on(made, null as never, undefined as never)),
  'a handler with a bigint in its retry': () => serve(on(made, { retry: retry({ maxDelayMs: 1n as never }) }, handle)),
  'a handler whose retry is null': () => serve(on(made, { retry: 0 as never }, handle)),
  'a handler that begins at no date': () => serve(on(made, { startFrom: 'yesterday' as never }, handle)),
  'a batch of nothing': () => serve(onBatch(undefined as never, undefined as never, handle)),
  'a batch of a symbol': () => serve(onBatch(made, { size: Symbol('size') as never }, handle)),
  'a service without handlers': () => defineService('svc', {} as never),
  'a service with a handler that is none': () => defineService('svc', { handlers: { h: 7 as never } }),
  'a service that publishes undefined': () => defineService('svc', { handlers: {}, publishes: [undefined as never] }),
  'a reply to nothing': () =>
    defineService('svc', { handlers: {}, replies: { r: reply(undefined as never, handle as never) } }),
  'a reply with a symbol': () =>
    defineService('svc', {
      handlers: {},
      replies: { r: reply(quote, { waiting: Symbol('w') as never }, handle as never) },
    }),
  'a connection to nothing': () => resolveMeshOptions(undefined as never),
  'a connection to numbers': () => resolveMeshOptions({ servers: [1, 2] as never }),
  'a connection with a bigint for a namespace': () => resolveMeshOptions({ servers: 'a', namespace: 1n as never }),
  'a connection with a list for a token': () => resolveMeshOptions({ servers: 'a', token: ['t'] as never }),
  'a connection with a text for a spool': () => resolveMeshOptions({ servers: 'a', spool: '/s' as never }),
  'a connection with half a logger': () => resolveMeshOptions({ servers: 'a', logger: { info: handle } as never }),
  'a publish of nothing': () => publish(undefined as never, undefined),
  'a publish with a number for an id': () => publish(made, { id: 7 as never }),
  'a publish with an object for a correlation': () => publish(made, { correlationId: bare as never }),
  'a publish with null for headers': () => publish(made, { headers: 0 as never }),
  'a publish with a bigint for a priority': () => publish(made, { priority: 1n as never }),
  'a publish that expects a line end': () =>
    publish(made, { expect: { lastSeq: 1, subjects: 'job.>\r\nNats-TTL: 1s' } }),
  'a publish that expects a number': () => publish(made, { expect: 7 as never }),
  'an event prepared by nobody': () => prepareEvent(made, { id: '1' }, undefined as never).then(failIfFrom),
  'a recurrence of nothing': () => readRecurrence('job.made', undefined as never),
  'a recurrence named by a bigint': () => readRecurrence('job.made', { name: 1n as never, cron: '@daily' }),
}

/** Without a name of who says it, it would say that `undefined` does. */
function failIfFrom({ envelope }: { envelope: { source: string } }): void {
  if (envelope.source === '/undefined') throw new MeshError('MESH_INVALID_OPTIONS', 'nobody said it')
}

test.each(Object.entries(GIVEN))('%s is refused by an error of the library', async (_, give) => {
  const error = await Promise.resolve()
    .then(give)
    .catch((error: unknown) => error)
  expect(error).toBeInstanceOf(MeshError)
})

test('a value is shown in a few words, whatever it is', () => {
  const values = ['a"b', 'x'.repeat(99), 7, 7n, Symbol('s'), null, undefined, bare, [1], handle, Number.NaN]
  expect(values.map(shown)).toEqual([
    '"a\\"b"',
    `"${'x'.repeat(64)}…"`,
    '7',
    '7n',
    'Symbol(s)',
    'null',
    'undefined',
    'an object',
    'a list',
    'a function',
    'NaN',
  ])
})
