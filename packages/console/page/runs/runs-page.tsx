import type { JSX } from 'preact'
import type { RunView } from '../../src/api/schemas/runs.ts'
import { useAnswer } from '../api/answers.ts'
import { Empty, Loading, Problem, Scroll } from '../parts/panels.tsx'
import { Text } from '../parts/text.tsx'
import { number, Time } from '../parts/time.tsx'
import { useTitle } from '../parts/title.ts'
import { Progress, RunState } from './progress.tsx'

/** Redrives and replays, the newest first. */
export function RunsPage(): JSX.Element {
  const { data, problem } = useAnswer<{ runs: RunView[] }>('/runs')
  useTitle('Runs')
  return (
    <>
      <div class="page-head">
        <h1 tabIndex={-1}>Runs</h1>
        <p class="lede">Messages sent to their handlers again: how far each run is, and what became of them.</p>
        <a class="button" href="/replay">
          Replay…
        </a>
      </div>
      {problem && <Problem problem={problem} />}
      {!data && !problem && <Loading what="the runs" />}
      {data?.runs.length === 0 && (
        <Empty title="No runs yet.">
          A redrive of <a href="/letters?state=open">dead letters</a> is one, a <a href="/replay">replay</a> of events
          another.
        </Empty>
      )}
      {data && data.runs.length > 0 && (
        <Scroll label="Runs">
          <table>
            <caption class="unseen">Runs, the newest first</caption>
            <thead>
              <tr>
                <th scope="col">Run</th>
                <th scope="col">State</th>
                <th scope="col" class="grow">
                  How far
                </th>
                <th scope="col" class="right">
                  Ok
                </th>
                <th scope="col" class="right">
                  Failed
                </th>
                <th scope="col" class="wide">
                  Begun
                </th>
                <th scope="col" class="wide">
                  By
                </th>
                <th scope="col" class="wide">
                  Why
                </th>
              </tr>
            </thead>
            <tbody>
              {data.runs.map((run) => (
                <tr key={run.id}>
                  <td class="nowrap">
                    <a data-row href={`/runs/${run.id}`}>
                      {run.id}
                    </a>
                  </td>
                  <td>
                    <RunState run={run} />
                  </td>
                  <td>
                    <Progress run={run} />
                  </td>
                  <td class="right">{number(run.counts['ok'] ?? 0)}</td>
                  <td class="right">{number(run.counts['failed'] ?? 0)}</td>
                  <td class="wide nowrap">
                    <Time at={run.beganAt} />
                  </td>
                  <td class="wide">
                    <Text>{run.who}</Text>
                  </td>
                  <td class="wide clip">
                    <Text>{run.reason ?? ''}</Text>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </>
  )
}
