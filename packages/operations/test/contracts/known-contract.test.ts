import { Parser } from '@asyncapi/parser'
import { type JsonSchema, names, type ServiceContracts } from '@malha/mesh'
import { describe, expect, it } from 'vitest'
import { asyncApi } from '../../src/contracts/asyncapi.ts'
import { inDocument } from '../../src/contracts/asyncapi-messages.ts'
import { payloadFaults } from '../../src/contracts/check-payload.ts'
import { keyOf } from '../../src/contracts/key-of.ts'
import { knownContract } from '../../src/contracts/known-contract.ts'

const said = (service: string, schema: JsonSchema, version = 1): ServiceContracts => ({
  v: 1,
  service,
  version: '1.0.0',
  handlers: [{ handler: 'handle', source: 'order.placed', isTopic: false, stream: 'ORDERS', order: null }],
  replies: [],
  publishes: [],
  retired: [],
  contracts: [
    {
      type: 'order.placed',
      kind: 'event',
      version,
      contentType: 'application/json',
      stream: { name: 'ORDERS', partitions: 16 },
      key: null,
      priorities: false,
      schema,
      answers: null,
    },
  ],
  untold: [],
})
const needs = (...required: string[]): JsonSchema => ({ type: 'object', required })

describe('services that disagree', () => {
  it('about a schema of one version: a payload has to fit all of them, and whose fault is whose is told', () => {
    const known = knownContract([said('a', needs('x')), said('b', needs('y')), said('c', needs('x'))], 'order.placed')
    expect(known.schemas.map(({ services }) => services)).toEqual([['a', 'c'], ['b']])
    expect(payloadFaults(known, { x: 1 })).toEqual([
      { pointer: '/y', message: 'b: is missing', sentence: "b: the payload must have required property 'y'" },
    ])
    expect(payloadFaults(known, { x: 1, y: 1 })).toEqual([])
  })

  it('about the version: the newest is taken, and the others wait', () => {
    const known = knownContract([said('a', needs('x'), 1), said('b', needs('y'), 2)], 'order.placed')
    expect(known).toMatchObject({ version: 2, schemas: [{ services: ['b'] }], handledBy: ['a.handle', 'b.handle'] })
  })

  it('only about a description do not', () => {
    const told = { type: 'object', description: 'of the shop', properties: { description: { type: 'string' } } }
    const untold = { type: 'object', properties: { description: { type: 'string' } } }
    expect(knownContract([said('a', told), said('b', untold)], 'order.placed').schemas).toHaveLength(1)
  })

  it('are described by a document that is valid all the same', { timeout: 60_000 }, async () => {
    const at = { names: names('staging'), server: '[::1]:4222' }
    const document = asyncApi([said('a', needs('x')), said('b', { ...Object(needs('y')), prefixItems: [true] })], at)
    const { diagnostics } = await new Parser().parse(JSON.stringify(document))
    expect(diagnostics.filter(({ severity }) => [0, 1].includes(severity))).toEqual([])
  })
})

it('a schema in a document refers within itself, and says tuples as the document’s own schemas do', () => {
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    prefixItems: [{ $ref: '#/$defs/a' }],
    items: { $ref: '#' },
    $defs: { a: { const: { $ref: '#kept' } } },
  }
  expect(inDocument(schema, 'order.placed')).toEqual({
    items: [{ $ref: '#/components/schemas/order.placed/$defs/a' }],
    additionalItems: { $ref: '#/components/schemas/order.placed' },
    $defs: { a: { const: { $ref: '#kept' } } },
  })
})

describe('a key', () => {
  const keyed = (key: string | null) => ({ type: 'order.placed', key })
  it.each([
    ['is put together as the contract says', '{a.id}-{n}', { a: { id: 'x' }, n: 7 }, undefined, { key: 'x-7' }],
    ['may be given where it is the same', '{id}', { id: 'x' }, 'x', { key: 'x' }],
    ['is not another one', '{id}', { id: 'x' }, 'y', { fault: expect.stringContaining('is "x"') }],
    [
      'that needs what is not there is asked for',
      '{id}',
      {},
      undefined,
      { fault: expect.stringContaining('has no id') },
    ],
    ['and then taken as given', '{id}', {}, 'y', { key: 'y' }],
    [
      'that code computes is asked for',
      'computed (9f)',
      { id: 'x' },
      undefined,
      { fault: expect.stringContaining('by code') },
    ],
    ['of a contract without one is refused', null, {}, 'y', { fault: expect.stringContaining('has no key') }],
    ['of a contract without one is none', null, {}, undefined, { key: undefined }],
  ])('%s', (_what, words, data, given, expected) => {
    expect(keyOf(keyed(words), data, given)).toEqual(expected)
  })
})

it('many faults are told as many, and the path of each by its names', () => {
  const items = { type: 'array', items: { type: 'object', properties: { 'a/b': { type: 'string' } } } }
  const known = knownContract([said('a', { type: 'object', properties: { items } })], 'order.placed')
  expect(payloadFaults(known, { items: [{ 'a/b': 1 }] })).toEqual([
    { pointer: '/items/0/a~1b', message: 'must be string', sentence: 'items[0].a/b must be string' },
  ])
  const many = Array.from({ length: 1000 }, () => ({ 'a/b': 1 }))
  const faults = payloadFaults(known, { items: many })
  expect(faults).toHaveLength(51)
  expect(faults.at(-1)).toMatchObject({ pointer: '', sentence: 'and 950 more' })
})

it('a schema that cannot be compiled is an error that says so, and no payload fits it', () => {
  const known = knownContract([said('a', { type: 'object', $ref: 'https://elsewhere.example/schema' })], 'order.placed')
  expect(() => payloadFaults(known, {})).toThrow(
    /OPERATIONS_UNKNOWN_TYPE: the schema that a has for order\.placed .*elsewhere/,
  )
})
