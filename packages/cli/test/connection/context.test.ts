import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { connectionEnv, serversOf } from '../../src/connection/connect-options.ts'
import { listContexts, readContext } from '../../src/connection/context.ts'

let home = ''
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'contexts-'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(home, { recursive: true })
})

async function write(path: string, context: unknown): Promise<void> {
  const file = join(home, '.config', path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, typeof context === 'string' ? context : JSON.stringify(context))
}
const env = (): Record<string, string> => ({ HOME: home })

/** As nats context add writes one. */
const byNats = {
  description: 'EU cluster',
  url: 'tls://a:4222,tls://b:4222',
  token: '',
  user: '',
  password: '',
  creds: '~/keys/oncall.creds',
  nkey: '',
  cert: '',
  key: '',
  ca: '/etc/ca.pem',
  nsc: '',
  jetstream_domain: '',
  jetstream_api_prefix: '',
  jetstream_event_prefix: '',
  inbox_prefix: '_INBOX_oncall',
  user_jwt: '',
  color_scheme: 'green',
  tls_first: false,
}

describe('contexts', () => {
  it('of the nats command are taken as they are', async () => {
    await write('nats/context/production.json', byNats)
    expect(await readContext('production', env())).toEqual({
      NATS_URL: 'tls://a:4222,tls://b:4222',
      NATS_CREDS_FILE: join(home, 'keys/oncall.creds'),
      NATS_TLS_CA_FILE: '/etc/ca.pem',
      NATS_INBOX_PREFIX: '_INBOX_oncall',
    })
  })

  it('of malha come first, and may say a namespace and a ClickHouse', async () => {
    await write('nats/context/eu.json', byNats)
    await write('malha/context/eu.json', { url: 'nats://eu:4222', namespace: 'staging', clickhouse: 'http://ch:8123' })
    expect(await readContext('eu', env())).toEqual({
      NATS_URL: 'nats://eu:4222',
      MALHA_NAMESPACE: 'staging',
      CLICKHOUSE_URL: 'http://ch:8123',
    })
    expect(await readContext('eu', { XDG_CONFIG_HOME: join(home, '.config') })).toHaveProperty('MALHA_NAMESPACE')
  })

  it('that say what malha cannot do are refused, all of it at once, and no value is repeated', async () => {
    await write('nats/context/odd.json', { url: 'nats://x', nsc: 'nsc://s3cret', socks_proxy: 's3cret', user: 7 })
    const refused = readContext('odd', env())
    await expect(refused).rejects.toThrow(/context odd .*nsc.*socks_proxy.*user is no text/)
    await expect(refused).rejects.not.toThrow(/s3cret/)
  })

  it.each(['../../etc/passwd', '.hidden', 'a/b', 'a\\b', ''])('%j is no name', async (name) => {
    await expect(readContext(name, env())).rejects.toThrow(/no name of a context/)
  })

  it('one that is missing names those there are', async () => {
    await write('nats/context/production.json', byNats)
    await expect(readContext('prod', env())).rejects.toThrow(/no context "prod"; there are production/)
  })

  it('are listed without a secret, broken ones with what is wrong', async () => {
    await write('nats/context/b.json', { url: 'nats://ana:s3cret@h:4222' })
    await write('nats/context/c.json', { url: 'nats://h', user: 'ana', password: 's3cret' })
    await write('nats/context/d.json', { token: 's3cret' })
    await write('nats/context/e.json', '{')
    await write('nats/context/production.json', byNats)
    const list = await listContexts(env())
    expect(JSON.stringify(list)).not.toContain('s3cret')
    expect(list.map(({ name, servers, by, fault }) => [name, servers, by, fault])).toEqual([
      ['b', 'nats://h:4222', 'its address', null],
      ['c', 'nats://h', 'user ana', null],
      ['d', 'nats://127.0.0.1:4222', 'a token', null],
      ['e', '', 'nobody', 'it is no JSON object'],
      ['production', 'tls://a:4222,tls://b:4222', `credentials ${join(home, 'keys/oncall.creds')}`, null],
    ])
  })
})

describe('a connection', () => {
  it('by a context stands for all that the environment says of NATS, and its flags go before it', async () => {
    await write('nats/context/production.json', byNats)
    vi.stubEnv('HOME', home)
    vi.stubEnv('XDG_CONFIG_HOME', '')
    vi.stubEnv('NATS_URL', 'nats://elsewhere:4222')
    vi.stubEnv('NATS_TOKEN', 'of elsewhere')
    vi.stubEnv('MALHA_NAMESPACE', 'staging')
    const plain = await connectionEnv({ context: undefined })
    expect(plain).toMatchObject({ NATS_URL: 'nats://elsewhere:4222', NATS_TOKEN: 'of elsewhere' })
    const named = await connectionEnv({ context: 'production' })
    expect(named).toMatchObject({ NATS_URL: byNats.url, MALHA_NAMESPACE: 'staging' })
    expect(named).not.toHaveProperty('NATS_TOKEN')
    const flags = { context: 'production', server: 'nats://c:4222', creds: '/my.creds', namespace: 'test' }
    expect(await connectionEnv(flags)).toMatchObject({
      NATS_URL: 'nats://c:4222',
      NATS_CREDS_FILE: '/my.creds',
      MALHA_NAMESPACE: 'test',
    })
    vi.stubEnv('MALHA_CONTEXT', 'production')
    expect(await connectionEnv({ context: undefined })).toMatchObject({ NATS_URL: byNats.url })
  })

  it.each([
    ['nats://ana:s3cret@a:4333, tls://b', ['a:4333', 'b:4222']],
    ['a:4333', ['a:4333']],
    ['nats://[::1]:4222', ['[::1]:4222']],
  ])('to %s is to these servers', async (server, expected) => {
    expect(await serversOf({ server, context: undefined })).toEqual(expected)
  })

  it('by a credentials file that is given leaves no other credentials beside it', async () => {
    await write('nats/context/by-user.json', { url: 'nats://h', user: 'ana', password: 's3cret' })
    vi.stubEnv('HOME', home)
    vi.stubEnv('XDG_CONFIG_HOME', '')
    const given = await connectionEnv({ context: 'by-user', creds: '/my.creds' })
    expect(given).toMatchObject({ NATS_CREDS_FILE: '/my.creds' })
    expect(given).not.toHaveProperty('NATS_PASSWORD')
  })
})
