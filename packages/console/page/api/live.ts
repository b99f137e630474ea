import { signal } from '@preact/signals'
import { refresh } from './answers.ts'

type Counts = { open: number; redriven: number; resolved: number; late: number; discarded: number }
type Away = { detail: string; fix?: string; code?: string }

export const counts = signal<Counts | undefined>(undefined)
/** Whether news arrive, and what is away when something is. */
export const isLive = signal(false)
export const away = signal<Away | null>(null)

let source: EventSource | undefined

/** Hears what changes from now on, and asks again for what is shown. */
export function listen(): void {
  source?.close()
  source = new EventSource('/api/live')
  source.addEventListener('open', () => (isLive.value = true))
  source.addEventListener('error', () => (isLive.value = false))
  on('letters', (data) => {
    counts.value = data as Counts
    void refresh('/letters')
  })
  on('runs', () => void refresh('/runs'))
  on('away', (data) => (away.value = data as Away | null))
}

function on(event: string, hear: (data: unknown) => void): void {
  source?.addEventListener(event, ({ data }: MessageEvent<string>) => hear(JSON.parse(data)))
}
