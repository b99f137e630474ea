const ANSWER_MS = 2000

/** Whether a URL answers 200 within two seconds, as a probe asks it: each time on a connection of its own. */
export async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS), headers: { connection: 'close' } })
    await response.arrayBuffer()
    return response.status === 200
  } catch {
    return false
  }
}
