import type { ComponentChildren, JSX } from 'preact'
import type { ProblemView } from '../../src/api/schemas/shared.ts'
import { Text } from './text.tsx'

/** What went wrong, and what to do. */
export function Problem({ problem, isQuiet = false }: { problem: ProblemView; isQuiet?: boolean }): JSX.Element {
  return (
    <div class={`panel problem ${isQuiet ? 'quiet' : ''}`} role="alert">
      <p class="problem-title">
        {problem.title} <code>{problem.code}</code>
      </p>
      <p>
        <Text>{problem.detail}</Text>
      </p>
      <p class="fix">
        <span class="fix-label">What to do:</span> <Text>{problem.fix}</Text>
      </p>
    </div>
  )
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }): JSX.Element {
  return (
    <div class="panel empty">
      <p class="empty-title">{title}</p>
      <p>{children}</p>
    </div>
  )
}

export function Loading({ what }: { what: string }): JSX.Element {
  return (
    <div class="panel loading" role="status">
      Reading {what} …
    </div>
  )
}

/** A part of what is asked for that could not be looked at. */
export function Missing({ what }: { what: string }): JSX.Element {
  return (
    <p class="banner" role="status">
      Not looked at: <Text>{what}</Text>
    </p>
  )
}

export function Badge({ kind, children }: { kind: string; children: ComponentChildren }): JSX.Element {
  return <span class={`badge ${kind}`}>{children}</span>
}

/** A part of a page with its own heading. */
export function Section({
  title,
  aside,
  children,
}: {
  title: string
  aside?: ComponentChildren
  children: ComponentChildren
}): JSX.Element {
  return (
    <section class="section">
      <header>
        <h2>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  )
}

/** Something wide that scrolls by itself; reachable by keyboard. */
export function Scroll({ label, children }: { label: string; children: ComponentChildren }): JSX.Element {
  return (
    <div class="scroll" role="region" aria-label={label} tabIndex={0}>
      {children}
    </div>
  )
}

/** Names and values. Those without a value are left out. */
export function Facts({ of }: { of: readonly (readonly [name: string, value: ComponentChildren])[] }): JSX.Element {
  const known = of.filter(([, value]) => value !== undefined && value !== null && value !== '' && value !== false)
  return (
    <dl class="facts">
      {known.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
