import { hash } from 'node:crypto'
import { expect, test } from 'vitest'
import { DELAY_HEADER, SCHEDULE_HEADER } from '../../packages/mesh/src/delay/headers.ts'
import { LETTER_HEADER } from '../../packages/mesh/src/failure/dead-letter.ts'
import { LANE_HEADER } from '../../packages/mesh/src/failure/lane-headers.ts'
import { HEADER } from '../../packages/mesh/src/message/headers.ts'
import { derivedId } from '../../packages/mesh/src/message/id.ts'
import { keyToken, partitionOf } from '../../packages/mesh/src/message/key.ts'
import { DONE_HEADER } from '../../packages/mesh/src/service/effects-once.ts'
import { REQUEST_HEADER } from '../../packages/mesh/src/request/wire.ts'
import { names } from '../../packages/mesh/src/topology/names.ts'
import { readText } from './pages.ts'

const page = readText('docs/reference/wire.md')

/** Written from the page alone, as a program in another language would be. */
function fnv1a(text: string): bigint {
  let state = 2166136261n
  for (const byte of new TextEncoder().encode(text)) state = ((state ^ BigInt(byte)) * 16777619n) & 0xffffffffn
  return state
}

const vectors = [...page.matchAll(/^\| `(.+?)` +\| `(.+?)` +\| (\d+) +\| (\d+) +\|$/gm)].map(
  ([, key, token, of16, of256]) => ({ key: key!, token: token!, of16: Number(of16), of256: Number(of256) }),
)

test('there are vectors', () => {
  expect(vectors.length).toBeGreaterThan(8)
})

test.each(vectors)('the key $key has the token and the partitions of the page', ({ key, token, of16, of256 }) => {
  expect(keyToken(key)).toBe(token)
  expect([partitionOf(token, 16), partitionOf(token, 256)]).toEqual([of16, of256])
  expect([Number(fnv1a(token) % 16n), Number(fnv1a(token) % 256n)]).toEqual([of16, of256])
})

test('the id of the page is derived as the page says', () => {
  const [from, service, handler, type] = [
    '0190d6f0-7c1e-4b6e-9d1b-3a1f5f0c2a11',
    'provider',
    'senninha',
    'provider.created',
  ]
  const key = 'c-1-senninha'
  const id = derivedId({ from, service, handler, type, key, index: 0 })
  const plain = hash('sha256', JSON.stringify([from, service, handler, type, key, 0]), 'hex')
  expect(page).toContain(`\`${id}\``)
  // All but the six bits of version and variant are the hash.
  expect(id.replaceAll('-', '').slice(0, 12)).toBe(plain.slice(0, 12))
  expect(id.slice(-12)).toBe(plain.slice(20, 32))
})

test.each(Object.values(HEADER))('the header %s is on the page', (name) => {
  expect(page).toContain(`\`${name}\``)
})

test.each(Object.values(DONE_HEADER))('the marker header %s is on the page', (name) => {
  expect(page).toContain(`\`${name}\``)
})

test.each([...Object.values(DELAY_HEADER), ...Object.values(SCHEDULE_HEADER)])(
  'the delay header %s is on the page',
  (name) => {
    expect(page).toContain(`\`${name}`)
  },
)

test.each(Object.values(LANE_HEADER))('the lane header %s is on the page', (name) => {
  expect(page).toContain(`\`${name}\``)
})

test.each(Object.values(REQUEST_HEADER))('the request header %s is on the page', (name) => {
  expect(page).toContain(`\`${name}\``)
})

test.each(Object.values(LETTER_HEADER))('the letter header %s is on the page', (name) => {
  const inShort = name.replace('malha-dlq', '')
  expect([`\`${name}\``, `\`${inShort}\``].some((text) => page.includes(text))).toBe(true)
})

test('names in a namespace are those of the page', () => {
  const staging = names('staging')
  const given = [
    staging.stream('CENTERS'),
    staging.subject('center.registered.4.c-1'),
    staging.lanes('provider'),
    staging.durable('provider', 'senninha'),
    staging.bucket('MESH_CHECKPOINTS'),
    staging.request('price.quote'),
    staging.bucket('HANDLERS'),
    staging.control('provider'),
    staging.status('provider'),
  ]
  for (const name of given) expect(page).toContain(`\`${name}\``)
  expect(names('').laneSchedule('s', 'h', { stream: 'CENTERS', epoch: 1, seq: 2, storedAt: '3' })).toBe(
    'lane.s.h.at.CENTERS.1.2@3',
  )
  expect(names('').requestControl('price.quote', 'i')).toBe('request.price.quote._.i')
  expect([names('').micro('pricing'), staging.micro('pricing')]).toEqual(['pricing', 'staging_pricing'])
  expect(staging.handlerControl('s', 'h')).toBe('$KV.staging_HANDLERS.s.h')
  expect(names('').laneTarget('s', 'h')).toBe('lane.s.h.now')
  expect(names('').deadLetter('s_h', { stream: 'CENTERS', epoch: 1, from: 2, to: 3 })).toBe('dlq.s_h.CENTERS.1.2-3')
})
