import { signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { refresh } from './answers.ts'

type Counts = { open: number; redriven: number; resolved: number; late: number; discarded: number }
type Away = { detail: string; fix?: string; code?: string }

export const counts = signal<Counts | undefined>(undefined)
/** Whether news arrive, and what is away when something is. */
export const isLive = signal(false)
export const away = signal<Away | null>(null)

let source: EventSource | undefined

/** Beginnings of paths that are asked again for with each sample; one a page that watches. */
const watched: string[] = []
let isWatching = false

/** Hears what changes from now on, and asks again for what is shown. */
export function listen(): void {
  source?.close()
  isWatching = wantsToWatch()
  source = new EventSource(isWatching ? '/api/live?watch=handlers' : '/api/live')
  source.addEventListener('open', () => (isLive.value = true))
  source.addEventListener('error', () => (isLive.value = false))
  on('letters', (data) => {
    counts.value = data as Counts
    void refresh('/letters')
  })
  on('runs', () => void refresh('/runs'))
  on('sample', () => {
    for (const beginning of watched) void refresh(beginning)
  })
  on('away', (data) => (away.value = data as Away | null))
}

function on(event: string, hear: (data: unknown) => void): void {
  source?.addEventListener(event, ({ data }: MessageEvent<string>) => hear(JSON.parse(data)))
}

/** Keeps what begins like this current while it is shown: handlers are looked at for as long, and no longer. */
export function useSamples(beginning: string): void {
  useEffect(() => {
    watched.push(beginning)
    followWatch()
    return () => {
      watched.splice(watched.indexOf(beginning), 1)
      // Where the next page watches too, nothing need be opened again.
      setTimeout(followWatch)
    }
  }, [beginning])
}

const wantsToWatch = (): boolean => watched.length > 0 && document.visibilityState === 'visible'

function followWatch(): void {
  if (source && wantsToWatch() !== isWatching) listen()
}

// A page that nobody sees need not be kept current.
document.addEventListener('visibilitychange', followWatch)
