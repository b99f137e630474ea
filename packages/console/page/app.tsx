import { ErrorBoundary, LocationProvider, Route, Router, useLocation } from 'preact-iso'
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { ProblemView } from '../src/api/schemas/shared.ts'
import { problemOf } from './api/client.ts'
import { openSession, session } from './api/session.ts'
import { AuditPage } from './audit/audit-page.tsx'
import { EventsPage } from './events/events-page.tsx'
import { Frame } from './frame.tsx'
import { HandlerPage } from './handlers/handler-page.tsx'
import { HandlersPage } from './handlers/handlers-page.tsx'
import { JourneyPage } from './journey/journey-page.tsx'
import { EditPage } from './letters/edit/edit-page.tsx'
import { LetterPage } from './letters/letter-page.tsx'
import { LettersPage } from './letters/letters-page.tsx'
import { RedrivePage } from './letters/redrive-page.tsx'
import { LimitsPage } from './limits/limits-page.tsx'
import { Empty, Loading, Problem } from './parts/panels.tsx'
import { useTitle } from './parts/title.ts'
import { Toast } from './parts/toast.tsx'
import { ReplayPage } from './replay/replay-page.tsx'
import { RunPage } from './runs/run-page.tsx'
import { RunsPage } from './runs/runs-page.tsx'
import { SendPage } from './send/send-page.tsx'
import { SignIn } from './sign-in.tsx'
import { TopologyPage } from './topology/topology-page.tsx'

export function App(): JSX.Element {
  const [problem, setProblem] = useState<ProblemView>()
  useEffect(() => void openSession().catch((error: unknown) => setProblem(problemOf(error))), [])
  if (problem)
    return (
      <main class="alone">
        <h1>Malha</h1>
        <Problem problem={problem} />
      </main>
    )
  if (!session.value) return <Loading what="who you are" />
  if (!session.value.actor) return <SignIn />
  return (
    <LocationProvider>
      <Frame>
        <ErrorBoundary>
          <Router onRouteChange={focusHeading}>
            <Route path="/" component={Home} />
            <Route path="/topology" component={TopologyPage} />
            <Route path="/sign-in" component={Home} />
            <Route path="/letters" component={LettersPage} />
            <Route path="/letters/:seq" component={LetterPage} />
            <Route path="/letters/:seq/edit" component={EditPage} />
            <Route path="/redrive" component={RedrivePage} />
            <Route path="/replay" component={ReplayPage} />
            <Route path="/runs" component={RunsPage} />
            <Route path="/runs/:id" component={RunPage} />
            <Route path="/handlers" component={HandlersPage} />
            <Route path="/handlers/:service/:handler" component={HandlerPage} />
            <Route path="/limits" component={LimitsPage} />
            <Route path="/journey" component={JourneyPage} />
            <Route path="/events" component={EventsPage} />
            <Route path="/send" component={SendPage} />
            <Route path="/audit" component={AuditPage} />
            <Route default component={NotThere} />
          </Router>
        </ErrorBoundary>
      </Frame>
      <Toast />
    </LocationProvider>
  )
}

function Home(): null {
  const { route } = useLocation()
  useEffect(() => route('/topology', true), [])
  return null
}

function NotThere(): JSX.Element {
  useTitle('Not there')
  return (
    <>
      <h1>Not there</h1>
      <Empty title="There is no such page.">
        <a href="/topology">The mesh</a> · <a href="/letters">Dead letters</a> · <a href="/runs">Runs</a>
      </Empty>
    </>
  )
}

let lastPath = ''

/** A new page is read from its heading on; a change of filters is not a new page. */
function focusHeading(): void {
  if (lastPath !== '' && lastPath !== location.pathname)
    requestAnimationFrame(() => document.querySelector<HTMLElement>('main h1')?.focus())
  lastPath = location.pathname
}
