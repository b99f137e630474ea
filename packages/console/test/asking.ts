import { request as httpRequest } from 'node:http'
import type { Console } from '../src/index.ts'

export type Asked = { status: number; body: Record<string, unknown>; headers: Headers }

/** Asks a console as a program does. `body` makes it a POST. */
export async function ask(
  { url }: Console,
  path: string,
  { method, body, headers = {} }: { method?: string; body?: unknown; headers?: Record<string, string> } = {},
): Promise<Asked> {
  const json = body === undefined ? {} : { 'content-type': 'application/json' }
  const response = await fetch(`${url}/api${path}`, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: { ...json, ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json')
  return { status: response.status, body: isJson ? JSON.parse(text) : { text }, headers: response.headers }
}

/** With headers that `fetch` does not let a program set. */
export async function askRaw({ url }: Console, path: string, headers: Record<string, string>): Promise<number> {
  return await new Promise((resolve, reject) => {
    const request = httpRequest(`${url}${path}`, { headers }, (response) => {
      response.resume()
      resolve(response.statusCode!)
    })
    request.on('error', reject).end()
  })
}
