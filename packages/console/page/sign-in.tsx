import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { ProblemView } from '../src/api/schemas/shared.ts'
import { problemOf } from './api/client.ts'
import { session, signIn } from './api/session.ts'
import { Problem } from './parts/panels.tsx'
import { Time } from './parts/time.tsx'
import { useTitle } from './parts/title.ts'

/** Whoever is known comes in; where he wanted to go is where he is then. */
export function SignIn(): JSX.Element {
  const { takesTokens, issuer } = session.value!
  useTitle('Sign in')
  return (
    <main class="alone">
      <img src="/favicon.svg" width="44" height="44" alt="" />
      <h1>Sign in to Malha</h1>
      <Refusal />
      {issuer && <ByIssuer {...issuer} />}
      {takesTokens && <ByToken isAlone={!issuer} />}
    </main>
  )
}

/** Why the way back from the issuer ended here. What the address says is shown in words of the page alone. */
function Refusal(): JSX.Element | null {
  const code = new URLSearchParams(location.search).get('refused') ?? ''
  const refusal = location.pathname === '/sign-in' ? REFUSALS[code] : undefined
  if (!refusal) return null
  return <Problem problem={{ type: 'about:blank', status: 0, code, ...refusal }} />
}

const REFUSALS: Readonly<Record<string, { title: string; detail: string; fix: string }>> = {
  CONSOLE_OIDC_NO_ROLE: {
    title: 'You may not come in',
    detail: 'Your sign-in is known, but nothing in it says what you may do here.',
    fix: 'Ask whoever gives rights in your organisation to make you a viewer, operator or admin of this console.',
  },
  CONSOLE_OIDC_REFUSED: {
    title: 'That sign-in does not count',
    detail:
      'It was not begun in this browser, was used before, took longer than ten minutes, or was refused by the issuer.',
    fix: 'Sign in again; where it goes on, the log of the console says what was wrong.',
  },
  CONSOLE_OIDC_AWAY: {
    title: 'The issuer is away',
    detail: 'It does not answer the console, so nobody can sign in by it now.',
    fix: 'Try again in a minute.',
  },
}

function ByIssuer({ host, awaySince }: { host: string; awaySince: string | null }): JSX.Element {
  const here = location.pathname === '/sign-in' ? '/' : location.pathname + location.search
  return (
    <div class="panel">
      <a class="button primary" href={`/api/session/oidc?to=${encodeURIComponent(here)}`}>
        Sign in with {host}
      </a>
      {awaySince && (
        <p class="hint">
          It has not answered since <Time at={awaySince} />; the console asks it again and again.
        </p>
      )}
    </div>
  )
}

function ByToken({ isAlone }: { isAlone: boolean }): JSX.Element {
  const [problem, setProblem] = useState<ProblemView>()
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault()
    const token = new FormData(event.currentTarget as HTMLFormElement).get('token') as string
    try {
      await signIn(token)
    } catch (error) {
      setProblem(problemOf(error))
    }
  }
  return (
    <>
      <form class="panel" onSubmit={(event) => void submit(event)}>
        <label for="token">Token</label>
        <input id="token" name="token" type="password" autocomplete="current-password" required autofocus={isAlone} />
        <p class="hint">Whoever runs this console makes one with “malha console token”.</p>
        <button type="submit" class={isAlone ? 'primary' : ''}>
          Sign in
        </button>
      </form>
      {problem && <Problem problem={problem} />}
    </>
  )
}
