import type { Mesh } from '@malha/mesh'
import { expect, it } from 'vitest'
import { consoleConfig, mayAct } from '../src/config.ts'
import { type ConsoleOptions, isLoopback, resolveOptions } from '../src/options.ts'

const mesh = { log: {} } as Mesh

it('what is wrong with the options is said at once', () => {
  const wrong = { mesh, port: -1, role: 'boss', origin: 'console.example', jaegerUrl: 'x' } as unknown as ConsoleOptions
  expect(() => resolveOptions(wrong)).toThrow(/CONSOLE_INVALID_OPTIONS: port .*role .*origin .*jaegerUrl /)
  expect(() => resolveOptions({ mesh, role: 'viewer', tokenFile: 't' })).toThrow(
    /role is for a console without tokenFile/,
  )
})

it.each(['localhost', '127.0.0.1', '127.1.2.3', '::1'])('%s is this machine', (host) => {
  expect(isLoopback(host)).toBe(true)
  expect(resolveOptions({ mesh, host }).role).toBe('viewer')
})

it.each(['0.0.0.0', '::', '10.0.0.1', 'localhost.evil.example', '127.0.0.1.nip.io'])(
  '%s is not this machine',
  (host) => {
    expect(isLoopback(host)).toBe(false)
    expect(() => resolveOptions({ mesh, host })).toThrow(/CONSOLE_OPEN_ELSEWHERE/)
    expect(resolveOptions({ mesh, host, tokenFile: 't' }).host).toBe(host)
  },
)

it('a process sends no events by hand unless it was told so', () => {
  const env = { NATS_URL: 'nats://127.0.0.1:4222', CONSOLE_ROLE: 'admin' }
  expect(consoleConfig(env).console.sendsEvents).toBe(false)
  expect(consoleConfig({ ...env, CONSOLE_SEND_EVENTS: 'on' }).console.sendsEvents).toBe(true)
  expect(resolveOptions({ mesh }).sendsEvents).toBe(false)
})

it('a process where nobody may act makes nothing on the server', () => {
  const env = { NATS_URL: 'nats://127.0.0.1:4222' }
  expect(consoleConfig(env).mesh.topology).toBe('none')
  expect(consoleConfig({ ...env, CONSOLE_ROLE: 'operator' }).mesh.topology).not.toBe('none')
  expect([mayAct({ role: 'viewer' }), mayAct({ tokenFile: 't' })]).toEqual([false, true])
  expect(() => consoleConfig({ ...env, CONSOLE_ROLE: 'boss' })).toThrow(/CONSOLE_ROLE is "boss"/)
  expect(() => consoleConfig({ ...env, CONSOLE_SEND_EVENTS: 'yes' })).toThrow(/CONSOLE_SEND_EVENTS is "yes"; on or off/)
  expect(() => consoleConfig({ ...env, CONSOLE_PORT: 'x' })).toThrow(/CONSOLE_PORT is "x"/)
})
