import type { JSX } from 'preact'
import { BOUNDS } from '../../src/looks/standing.ts'
import { plural } from '../parts/time.tsx'

const { oldMs, grewBy, grewShare, withinMs } = BOUNDS

/** What the signs stand for, and from when on something fails. */
export function Legend(): JSX.Element {
  return (
    <dl class="signs">
      <dt>
        <span class="sign failing">!</span> failing, red
      </dt>
      <dd>
        No instance of the handler answers, its breaker is not closed, calls never returned, or what was said of it
        cannot be done; its open dead letters are more than {seconds(withinMs)} ago; or it falls behind: what waits grew
        in that time by at least {plural(grewBy, 'message')} and {grewShare * 100} %, and the oldest is older than{' '}
        {seconds(oldMs)}. Of a service: events of it could not be stored. Of a stream: it is nearly full.
      </dd>
      <dt>
        <span class="sign paused">Ⅱ</span> paused, dashed
      </dt>
      <dd>Somebody paused the handler.</dd>
      <dt>
        <span class="sign behind">…</span> behind, blue
      </dt>
      <dd>It works off what it has, and the oldest is older than {seconds(oldMs)}.</dd>
      <dt>
        <span class="sign">?/s</span> not known
      </dt>
      <dd>It was looked at once only, or its processes do not count. Such a line is dotted.</dd>
    </dl>
  )
}

const seconds = (ms: number): string => plural(ms / 1000, 'second')
