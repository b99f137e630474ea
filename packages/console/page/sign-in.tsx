import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { ProblemView } from '../src/api/schemas/shared.ts'
import { problemOf } from './api/client.ts'
import { signIn } from './api/session.ts'
import { Problem } from './parts/panels.tsx'
import { useTitle } from './parts/title.ts'

/** Whoever has a token comes in; where he wanted to go is where he is then. */
export function SignIn(): JSX.Element {
  const [problem, setProblem] = useState<ProblemView>()
  useTitle('Sign in')
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
    <main class="alone">
      <img src="/favicon.svg" width="44" height="44" alt="" />
      <h1>Sign in to Malha</h1>
      <form class="panel" onSubmit={(event) => void submit(event)}>
        <label for="token">Token</label>
        <input id="token" name="token" type="password" autocomplete="current-password" required autofocus />
        <p class="hint">Whoever runs this console makes one with “malha console token”.</p>
        <button type="submit" class="primary">
          Sign in
        </button>
      </form>
      {problem && <Problem problem={problem} />}
    </main>
  )
}
