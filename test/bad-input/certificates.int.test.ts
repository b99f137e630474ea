import { connectMesh, type TlsFiles } from '@malha/mesh'
import { type TestServer, testServer } from '@malha/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Authority, authority } from '../certificates/authority.ts'
import { secretVolume } from '../certificates/secret-volume.ts'
import { filesOf, tlsBlock, tlsOf, volumeOf } from '../certificates/tls-files.ts'

let opened: AsyncDisposableStack
let known: Authority
let unknown: Authority
beforeAll(async () => {
  opened = new AsyncDisposableStack()
  ;[known, unknown] = await Promise.all([authority('known to all'), authority('unknown to the other')])
})
afterAll(() => opened.disposeAsync())

/** What a process ends with when it cannot connect. */
async function refusal(servers: string, tls?: TlsFiles): Promise<string> {
  try {
    await using mesh = await connectMesh({ servers, ...(tls && { tls }) })
    return `it connected: ${mesh.nats.getServer()}`
  } catch (error) {
    return (error as Error).message
  }
}

describe.concurrent('at start a process ends with what is wrong, where, and what to do', () => {
  let server: TestServer
  let expired: TestServer
  beforeAll(async () => {
    const own = opened.use(await volumeOf(await known.issue('nats', { use: 'server', names: ['127.0.0.1'] }), known))
    server = opened.use(await testServer({ config: tlsBlock(own, 'verify: true') }))
    const past = opened.use(await volumeOf(await known.issue('nats', { days: -1 }), known))
    expired = opened.use(await testServer({ config: tlsBlock(past, '') }))
  })
  const client = async (options?: Parameters<Authority['issue']>[1], by = known): Promise<Required<TlsFiles>> =>
    tlsOf(opened.use(await volumeOf(await by.issue('worker', { use: 'client', ...options }), known)))
  const at = ({ url }: TestServer): string => url.replace('nats://', '')

  it('when the certificate of the server has ended', async () => {
    expect(await refusal(expired.url, await client())).toMatch(
      /^MESH_CONNECT_FAILED: no connection to 127.0.0.1:\d+: its certificate ended at 20[^ ]+Z \(.*127.0.0.1.*\). Put a renewed one into the server’s files, .*--signal reload$/,
    )
  })

  it('when no authority is given, or another one than signed it', async () => {
    expect(await refusal(server.url)).toMatch(
      /its certificate is signed by CN=known to all, an authority not known here. Give that authority’s certificate as NATS_TLS_CA_FILE/,
    )
    const other = opened.use(await volumeOf(await known.issue('worker', { use: 'client' }), unknown))
    const told = await refusal(server.url, tlsOf(other))
    expect(told).toContain(`signed by CN=known to all, which is not among the authorities in ${other.path('ca.crt')}`)
  })

  it('when the name in the address is not in the certificate; an address that is in it is fine', async () => {
    expect(await refusal(server.url, await client())).toBe(`it connected: ${at(server)}`)
    const told = await refusal(server.url.replace('127.0.0.1', 'localhost'), await client())
    expect(told).toMatch(/for another host name: for IP Address:127.0.0.1, not for localhost. .*NATS_URL/)
  })

  it('when it has no client certificate, and the server wants one', async () => {
    const { caFile } = await client()
    expect(await refusal(server.url, { caFile })).toMatch(/it wants a client certificate. .*NATS_TLS_CERT_FILE/)
  })

  it('when its client certificate has ended', async () => {
    const tls = await client({ days: -1 })
    const told = await refusal(server.url, tls)
    expect(told).toContain(
      `no connection to ${at(server)}: it wants a client certificate, and the one in ${tls.certFile}`,
    )
    expect(told).toMatch(/ended at 20[^ ]+Z. Put a renewed one there, and its key into /)
  })

  it('when its client certificate is from an authority the server does not know, or is none for clients', async () => {
    const { caFile } = await client()
    const wrong = [await client({}, unknown), await client({ use: 'server' })]
    const told = await Promise.all(wrong.map((tls) => refusal(server.url, { ...tls, caFile })))
    expect(told).toEqual(
      wrong.map(({ certFile }) => expect.stringContaining(`it refused the client certificate in ${certFile} (`)),
    )
  })

  it('when its client certificate is that of no user', async () => {
    const own = opened.use(await volumeOf(await known.issue('nats'), known))
    const config = `${tlsBlock(own, 'verify_and_map: true')}\nauthorization { users: [{ user: "CN=worker" }] }`
    await using mapped = await testServer({ config })
    await using mesh = await connectMesh({ servers: mapped.url, tls: await client() })
    expect(mesh.health()).toEqual({ ready: true, reasons: [] })
    const other = tlsOf(
      opened.use(await volumeOf(await known.issue('somebody', { use: 'client', names: ['somebody'] }), known)),
    )
    expect(await refusal(mapped.url, other)).toMatch(
      new RegExp(
        `^MESH_AUTH_FAILED: ${at(mapped)} refused the client certificate in ${other.certFile} as a user.*verify_and_map`,
      ),
    )
  })

  it('when only one side speaks TLS', async () => {
    await using plain = await testServer()
    expect(await refusal(plain.url, await client())).toContain('TLS was asked for, but the server has none')
    // A client that was not told of TLS takes it up where the server offers it, and trusts the system's authorities.
    expect(await refusal(server.url)).toContain('NATS_TLS_CA_FILE')
  })

  it('when files are missing, malformed or do not fit, with all of them at once and before anything is sent', async () => {
    const issued = await known.issue('worker')
    const { key } = await known.issue('other')
    const wrong = opened.use(await secretVolume({ ...filesOf({ certificate: issued.certificate, key }, known) }))
    const misfit = await refusal(server.url, tlsOf(wrong))
    expect(misfit).toMatch(/^MESH_INVALID_OPTIONS: .*tls.key is not the key of the certificate in .*tls.crt/s)
    const bad = opened.use(await secretVolume({ 'tls.crt': issued.key, 'tls.key': 'Sup3rS3cret' }))
    const told = await refusal(server.url, { ...tlsOf(bad), caFile: '/nowhere/ca.crt' })
    expect(told).toContain('/nowhere/ca.crt does not exist')
    expect(told).toContain(`${bad.path('tls.crt')} holds no certificate`)
    expect(told).toContain(`${bad.path('tls.key')} holds no private key`)
    expect(told).not.toMatch(/Sup3rS3cret|BEGIN PRIVATE KEY-----\n/)
  })
})
