import { computed, signal } from '@preact/signals'
import type { SessionView } from '../../src/api/schemas/session.ts'
import { act, ask } from './client.ts'
import { listen } from './live.ts'

export const session = signal<SessionView | undefined>(undefined)

const RANK = { viewer: 0, operator: 1, admin: 2 }

export const mayAct = computed(() => may('operator'))
export const mayActOnAll = computed(() => may('admin'))

/** Why a button does nothing. */
export const whyNot = computed(() =>
  session.value?.signsIn
    ? `You are ${session.value.actor?.role ?? 'not signed in'}; this needs an operator.`
    : 'This console is read-only. Start it with --role operator to act.',
)

function may(role: keyof typeof RANK): boolean {
  const actor = session.value?.actor
  return actor ? RANK[actor.role] >= RANK[role] : false
}

export async function openSession(): Promise<void> {
  take(await ask<SessionView>('/session'))
}

export async function signIn(token: string): Promise<void> {
  take(await act<SessionView>('/session', { token }))
}

export async function signOut(): Promise<void> {
  const { signOutUrl } = await act<SessionView>('/session', undefined, 'DELETE')
  location.assign(signOutUrl ?? '/')
}

function take(found: SessionView): void {
  session.value = found
  if (found.actor) listen()
}
