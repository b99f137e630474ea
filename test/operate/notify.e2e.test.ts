import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { defineService, event, on, Reject, stream } from '@malha/mesh'
import { eventually } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { deployedServer } from '../deploy/deployed-server.ts'
import { dataFolder, type MalhaCommand, malhaAs } from '../malha-command.ts'

const SECRET = '/services/T0SECRET/B0SECRET'
const orders = stream('ORDERS', { subjects: ['order.>'] })
const placed = event('order.placed', { stream: orders, schema: z.object({ n: z.number() }) })
const shop = defineService('shop', {
  handlers: { bill: on(placed, { startFrom: 'all' }, () => Promise.reject(new Reject('no room'))) },
})

async function listening(received: string[], port = 0): Promise<Server> {
  const take = async (request: IncomingMessage): Promise<void> => void received.push(await text(request))
  const server = createServer((request, response) => {
    void take(request).finally(() => response.end())
  }).listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}

it('what a killed notifier was about to tell is told by the next one, once, and neither says the address', async () => {
  await using server = await deployedServer([shop])
  const mesh = await server.connect('admin')
  await (await server.connect('shop')).start(shop)
  const received: string[] = []
  const gone = await listening([])
  const { port } = gone.address() as AddressInfo
  await new Promise((resolve) => gone.close(resolve))
  await using folder = await dataFolder()
  const file = join(folder.path, 'webhook')
  await writeFile(file, `http://127.0.0.1:${port}${SECRET}\n`)
  const notifier = (): MalhaCommand => malhaAs(server.as('notifier'), 'notify', '--url-file', file, '--give-up', '3s')
  const jsm = await jetstreamManager(mesh.nats)
  const bucket = mesh.names.bucket('NOTIFICATIONS')
  const claimed = async (): Promise<string | undefined> => {
    const { state } = await jsm.streams.info(`KV_${bucket}`, { subjects_filter: `$KV.${bucket}.letters.*` })
    const [subject] = Object.keys(state.subjects ?? {})
    const last = subject && (await jsm.streams.getMessage(`KV_${bucket}`, { last_by_subj: subject }))
    return last ? last.json<{ state: string }>().state : undefined
  }

  await using first = notifier()
  await eventually(() => expect(first.stderr).toContain(`telling 127.0.0.1:${port}`))
  await mesh.publish(placed, { n: 1 })
  await eventually(async () => expect(await claimed()).toBe('sending'))
  first.process.kill('SIGKILL')
  expect(await first.ended).toBe('SIGKILL')
  expect(await claimed()).toBe('sending')
  await using receiver = await listening(received, port)

  await using second = notifier()
  // When its tries and what one of them may take are over, its claim is.
  await eventually(() => expect(received.length).toBe(1), { timeoutMs: 60_000 })
  expect(JSON.parse(received[0]!)).toMatchObject({ kind: 'letters', letters: 1, service: 'shop' })
  await eventually(async () => expect(await claimed()).toBe('told'))
  second.process.kill('SIGTERM')
  expect(await second.ended).toBe(0)
  expect(received.length).toBe(1)
  expect(receiver.listening).toBe(true)
  for (const { stdout, stderr } of [first, second]) expect(`${stdout} ${stderr}`).not.toMatch(/T0SECRET|B0SECRET/)
  expect(first.stdout + second.stdout).toContain('"told"')
})
