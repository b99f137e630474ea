/** The answer to one query, without its last line break. Waits at most 5 s. Credentials may stand in the URL. */
export async function ask(url: string, query: string): Promise<string> {
  const target = new URL(url)
  const headers: Record<string, string> = { connection: 'close' }
  if (target.username || target.password) {
    const pair = `${decodeURIComponent(target.username)}:${decodeURIComponent(target.password)}`
    headers['authorization'] = `Basic ${Buffer.from(pair).toString('base64')}`
    target.username = ''
    target.password = ''
  }
  const response = await fetch(target, { method: 'POST', body: query, headers, signal: AbortSignal.timeout(5000) })
  const text = await response.text()
  if (response.status !== 200) throw new Error(`ClickHouse answered ${response.status}: ${text.trim().slice(0, 300)}`)
  return text.trimEnd()
}
