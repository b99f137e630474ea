import { setImmediate as turn } from 'node:timers/promises'
import type { Mesh } from '@malha/mesh'
import type { Letters } from '@malha/operations'
import { describe, expect, it } from 'vitest'
import { indexReader } from '../../src/live/index-reader.ts'

const near = { health: () => ({ reasons: [] }) } as unknown as Mesh

/** Reads what was stored when it began, as the index does, once it is let go on. */
function slowLetters(): {
  letters: Letters
  store: () => void
  goOn: () => void
  read: () => number
  begun: () => number
} {
  const state = { stored: 0, read: 0, begun: 0 }
  let goOn: () => void = () => undefined
  const refresh = async (): Promise<void> => {
    state.begun++
    const { stored } = state
    await new Promise<void>((resolve) => (goOn = resolve))
    state.read = stored
  }
  return {
    letters: { refresh } as unknown as Letters,
    store: () => void state.stored++,
    goOn: () => goOn(),
    read: () => state.read,
    begun: () => state.begun,
  }
}

describe('what is read is current for whoever asked', () => {
  it('while a read is under way that began before', async () => {
    const { letters, store, goOn, read, begun } = slowLetters()
    const index = indexReader(near, letters)
    const first = index.read()
    store()
    const second = index.read()
    const third = index.read()
    goOn()
    expect(await first).toEqual({ state: 'current' })
    expect(read()).toBe(0)
    await turn()
    goOn()
    expect(await Promise.all([second, third])).toEqual([{ state: 'current' }, { state: 'current' }])
    expect(read()).toBe(1)
    expect(begun()).toBe(2)
  })

  it('and a read that ends waits for the one behind it', async () => {
    const { letters, goOn } = slowLetters()
    const index = indexReader(near, letters)
    void index.read()
    void index.read()
    let hasEnded = false
    const ended = index.ended().then(() => (hasEnded = true))
    goOn()
    await turn()
    expect(hasEnded).toBe(false)
    goOn()
    await ended
  })
})
