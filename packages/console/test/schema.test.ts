import { describe, expect, it } from 'vitest'
import { branchName, firstOf, kindOf, readJson, type Schema } from '../page/send/schema.ts'

const root: Schema = {
  $defs: {
    name: { type: 'string' },
    node: { type: 'object', properties: { next: { $ref: '#/$defs/node' } }, required: ['next'] },
    loop: { $ref: '#/$defs/loop' },
    'a/b': { type: 'integer' },
  },
}

describe('the field of a schema', () => {
  it.each([
    [{ type: 'string' }, { kind: 'text' }],
    [{ $ref: '#/$defs/name' }, { kind: 'text' }],
    [{ $ref: '#/$defs/a~1b' }, { kind: 'integer' }],
    [{ enum: ['a', 1, null] }, { kind: 'choice', values: ['a', 1, null] }],
    [{ const: 3 }, { kind: 'fixed', value: 3 }],
    [{ type: ['string', 'null'] }, { kind: 'nullable', of: { type: 'string' } }],
    [{ anyOf: [{ type: 'number' }, { type: 'null' }] }, { kind: 'nullable', of: { type: 'number' } }],
    [
      { type: 'array', items: { type: 'string' } },
      { kind: 'list', items: { type: 'string' } },
    ],
    [
      { type: 'array', prefixItems: [{ type: 'string' }] },
      { kind: 'tuple', items: [{ type: 'string' }] },
    ],
    [
      { type: 'object', properties: { a: {} }, required: ['a'], additionalProperties: {} },
      { kind: 'object', properties: [['a', {}, true]] },
    ],
  ])('%j is %j', (schema, kind) => {
    expect(kindOf(schema, root)).toEqual(kind)
  })

  it.each([
    {},
    { type: 'array' },
    { type: 'object' },
    { type: 'object', properties: {}, additionalProperties: { type: 'string' } },
    { type: 'object', properties: {}, allOf: [{ required: ['a'] }] },
    { $ref: 'https://elsewhere.example/schema' },
    { $ref: '#/$defs/none' },
    { $ref: '#/$defs/loop' },
  ])('%j is written as JSON', (schema) => {
    expect(kindOf(schema, root)).toEqual({ kind: 'json' })
  })
})

it('has in it at first what must be there, and an end where a schema contains itself', () => {
  const schema = {
    type: 'object',
    properties: {
      city: { type: 'string', default: 'Recife' },
      v: { const: 1 },
      lines: { type: 'array', items: {} },
      left: { const: 1 },
    },
    required: ['city', 'v', 'lines'],
  }
  expect(firstOf(schema, root)).toEqual({ city: 'Recife', v: 1, lines: [] })
  expect(JSON.stringify(firstOf({ $ref: '#/$defs/node' }, root)).length).toBeLessThan(200)
})

it('one of several is called by its title, its mark, or its type', () => {
  expect(branchName({ title: 'By post' }, root, 0)).toBe('By post')
  expect(branchName({ type: 'object', properties: { by: { const: 'post' } } }, root, 0)).toBe('by: post')
  expect(branchName({ type: 'string' }, root, 1)).toBe('2, string')
})

it('a number that would be another one when it is sent is a fault', () => {
  expect(readJson('[9007199254740993]').fault).toContain('9007199254740993 is too large')
  expect(readJson('{').fault).toContain('no JSON')
  expect(readJson('[9007199254740991]')).toEqual({ value: [9007199254740991] })
})
