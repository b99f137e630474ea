import { expect, test } from 'vitest'
import { fileFault, userJwtIn } from '../../src/lifecycle/own-files.ts'

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const credsOf = (payload: unknown): string =>
  `-----BEGIN NATS USER JWT-----\n${part({ alg: 'ed25519-nkey' })}.${part(payload)}.c2ln\n------END NATS USER JWT------\n`

test('a user is described by his JWT: his name, the account that issued it, when it ends', () => {
  expect(userJwtIn(credsOf({ name: 'worker', iss: 'ACC', exp: 1_700_000_000 }))).toEqual({
    name: 'worker',
    account: 'ACC',
    endsAt: new Date('2023-11-14T22:13:20Z'),
  })
  // A signing key of the account issued it.
  expect(userJwtIn(credsOf({ iss: 'SIGNER', nats: { issuer_account: 'ACC' } }))).toEqual({
    name: undefined,
    account: 'ACC',
    endsAt: undefined,
  })
})

test.each(['', 'SUAM', 'a.b.c', credsOf(null), credsOf(7), credsOf({ iss: 1, exp: 'soon' }), credsOf([])])(
  'what is no JWT of a user is none: %j',
  (text) => {
    expect(userJwtIn(text)).toBeUndefined()
  },
)

test('why a file is of no use is said without what it holds', () => {
  const secret = 'Sup3rS3cret'
  const of = (code: string): string => fileFault(Object.assign(new Error(`${secret} ${code}`), { code }))
  expect(['ENOENT', 'EACCES', 'EISDIR', 'EIO', 'ERR_OSSL_PEM_NO_START_LINE'].map(of)).toEqual([
    'does not exist',
    'may not be read by this user',
    'is a folder',
    'cannot be read (EIO)',
    'does not hold what its name says; create it again',
  ])
  expect(fileFault(new Error(secret))).not.toContain(secret)
})
