import { assert, boolean, property } from 'fast-check'
import { expect, test } from 'vitest'
import { MeshError } from '../../src/errors.ts'
import { meshOptions, resolveMeshOptions } from '../../src/lifecycle/options.ts'
import { anyText } from '../any-text.ts'

function faultOf(run: () => unknown): MeshError {
  try {
    run()
  } catch (error) {
    if (error instanceof MeshError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

test('one address is enough; the rest has defaults', () => {
  const options = resolveMeshOptions({ servers: 'localhost' })
  expect(options).toMatchObject({
    servers: ['nats://localhost:4222'],
    namespace: '',
    auth: { kind: 'none' },
    tls: undefined,
    inboxPrefix: '_INBOX',
    topology: 'ensure',
    replicas: undefined,
  })
  expect(options.name).toMatch(/\/\d+$/)
})

test('every variable lands in its option', () => {
  expect(
    meshOptions({
      NATS_URL: 'nats://a:4222, tls://b:4223',
      MALHA_NAMESPACE: 'staging',
      NATS_CREDS_FILE: '/run/creds',
      NATS_TLS_CA_FILE: '/run/ca.pem',
      NATS_INBOX_PREFIX: '_INBOX_provider',
      MALHA_TOPOLOGY: 'verify',
      MALHA_REPLICAS: '3',
      MALHA_SPOOL_FILE: '/var/lib/orders/spool.db',
      MALHA_SPOOL_MAX_BYTES: '1000000',
      NATS_USER: '',
    }),
  ).toEqual({
    servers: 'nats://a:4222, tls://b:4223',
    namespace: 'staging',
    credsFile: '/run/creds',
    tls: { caFile: '/run/ca.pem' },
    inboxPrefix: '_INBOX_provider',
    topology: 'verify',
    replicas: 3,
    spool: { file: '/var/lib/orders/spool.db', maxBytes: 1_000_000 },
  })
})

test('a spool has a file and a limit, and both are checked', () => {
  const spool = { file: '/var/lib/orders/spool.db' }
  expect(resolveMeshOptions({ servers: 'a', spool }).spool).toEqual({ ...spool, maxBytes: 268_435_456 })
  const env = { NATS_URL: 'a', MALHA_SPOOL_MAX_BYTES: 'much' }
  const fault = faultOf(() => meshOptions(env)).message
  expect(fault).toMatch(/MALHA_SPOOL_FILE is missing/)
  expect(fault).toMatch(/MALHA_SPOOL_MAX_BYTES is NaN/)
  expect(faultOf(() => resolveMeshOptions({ servers: 'a', spool: { file: '', maxBytes: 10 } })).message).toMatch(
    /spool\.file is missing[^]*spool\.maxBytes is 10/,
  )
})

test('several addresses are a list, and one tls:// asks for TLS', () => {
  const options = resolveMeshOptions({ servers: 'nats://a, tls://[::1]:4223' })
  expect(options.servers).toEqual(['nats://a:4222', 'nats://[::1]:4223'])
  expect(options.tls).toEqual({})
})

test('credentials in an address become the identity and leave the address', () => {
  const options = resolveMeshOptions({ servers: 'nats://ana:p%40ss@a:1,nats://ana:p%40ss@b:2' })
  expect(options.auth).toEqual({ kind: 'password', user: 'ana', password: 'p@ss' })
  expect(options.servers).toEqual(['nats://a:1', 'nats://b:2'])
  expect(resolveMeshOptions({ servers: 'nats://tok@a' }).auth).toEqual({ kind: 'token', token: 'tok' })
})

test('all faults come at once, each by its variable', () => {
  const { message, code } = faultOf(() =>
    meshOptions({
      MALHA_NAMESPACE: 'Not.Good',
      NATS_TOKEN: 'sesame',
      NATS_CREDS_FILE: '/run/creds',
      NATS_PASSWORD: 'open',
      NATS_TLS_CERT_FILE: '/run/cert.pem',
      NATS_INBOX_PREFIX: 'a.*',
      MALHA_TOPOLOGY: 'make',
      MALHA_REPLICAS: 'two',
    }),
  )
  expect(code).toBe('MESH_INVALID_OPTIONS')
  expect(message).toContain('8 faults')
  for (const named of [
    'NATS_URL',
    'MALHA_NAMESPACE',
    'NATS_USER is not',
    'NATS_TLS_KEY_FILE',
    'NATS_INBOX_PREFIX',
    'MALHA_TOPOLOGY',
    'MALHA_REPLICAS',
    'by NATS_CREDS_FILE, by NATS_TOKEN',
  ])
    expect(message).toContain(named)
})

test('addresses that are none are named by their number, not repeated', () => {
  const { message } = faultOf(() =>
    resolveMeshOptions({ servers: ['http://sesame@a', 'nats://open:sesame@b:port', 'nats://sesame@c/path'] }),
  )
  expect(message).toContain('3 faults')
  expect(message).toContain('address 2 of 3')
  expect(message).not.toContain('sesame')
})

test('two identities in one list of addresses are refused', () => {
  expect(() => resolveMeshOptions({ servers: 'nats://a:x@h,nats://b:y@h' })).toThrow(/one identity/)
})

test('no secret is in any message, whatever the secret and the faults around it', () => {
  // The prefix keeps the secret apart from words the messages themselves use.
  const secret = anyText.map((text) => `S3kr${text.toWellFormed()}`)
  assert(
    property(secret, boolean(), (value, encoded) => {
      const inUrl = encoded ? encodeURIComponent(value) : value
      const { message } = faultOf(() =>
        resolveMeshOptions({
          servers: [`nats://user:${inUrl}@host:4222`, `nats://${inUrl}`, `http://${inUrl}`],
          namespace: '!',
          token: value,
          password: value,
        }),
      )
      expect(message).not.toContain('S3kr')
    }),
  )
})
