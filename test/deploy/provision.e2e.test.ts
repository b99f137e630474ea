import { join } from 'node:path'
import { testServer } from '@malha/testing'
import { expect, test } from 'vitest'
import { root } from '../docs/pages.ts'
import { malha } from '../malha-command.ts'

type Report = { streams: { name: string; action: string }[]; durables: { name: string; action: string }[] }

const MESH = join(root, 'deploy/mesh.ts')

test('malha provision makes all that the reference mesh needs, once', async () => {
  await using server = await testServer()
  const provision = async (): Promise<Report> => {
    await using command = malha('provision', '--from', MESH, '--server', server.url, '--json')
    expect([await command.ended, command.stderr]).toEqual([0, ''])
    return JSON.parse(command.stdout) as Report
  }
  const first = await provision()
  expect(first.streams).toContainEqual({ name: 'CENTERS', action: 'created' })
  expect(first.streams).toContainEqual({ name: 'KV_CENTER_STATUS', action: 'created' })
  expect(first.durables).toContainEqual(expect.objectContaining({ name: 'provider_maas', action: 'created' }))
  const again = await provision()
  expect([...again.streams, ...again.durables].filter(({ action }) => action !== 'unchanged')).toEqual([])
})

test('a module that exports no deployment is refused with what to export', async () => {
  await using command = malha('provision', '--from', join(root, 'deploy/rendered.ts'))
  expect(await command.ended).toBe(1)
  expect(command.stderr).toMatch(/exports no deployment; export what defineDeployment\(…\) returns/)
})
