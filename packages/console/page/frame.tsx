import { useLocation } from 'preact-iso'
import type { ComponentChildren, JSX } from 'preact'
import { away, counts, isLive } from './api/live.ts'
import { session, signOut } from './api/session.ts'
import { Shortcuts } from './keys.tsx'
import { number } from './parts/time.tsx'
import { ThemeButton } from './theme.tsx'

/** What is around every page: where one can go, who one is, and whether what is shown is current. */
export function Frame({ children }: { children: ComponentChildren }): JSX.Element {
  const { path } = useLocation()
  const { actor, namespace, server, signsIn } = session.value!
  const link = (href: string, label: string, icon: string, count?: number): JSX.Element => (
    <a href={href} aria-current={path.startsWith(href.split('?')[0]!) ? 'page' : undefined}>
      <Icon path={icon} />
      <span>{label}</span>
      {count !== undefined && count > 0 && (
        <span class="count" aria-label={`${number(count)} open`}>
          {number(count)}
        </span>
      )}
    </a>
  )
  return (
    <div class="frame">
      <a class="skip" href="#main">
        Skip to the page
      </a>
      <header class="top">
        <a class="brand" href="/topology" aria-label="Malha, the mesh">
          <Logo />
          <span>Malha</span>
        </a>
        <span class="where" title={`NATS at ${server ?? 'unknown'}`}>
          {namespace ? `${namespace} · ` : ''}
          {server}
        </span>
        <span class={`live ${isLive.value ? 'on' : 'off'}`} role="status">
          {isLive.value ? 'live' : 'not live'}
        </span>
        <span class="spacer" />
        <span class="who" title="What you do is written down with this name">
          {actor!.name} <span class={`role ${actor!.role}`}>{actor!.role}</span>
        </span>
        {signsIn && (
          <button type="button" onClick={() => void signOut()}>
            Sign out
          </button>
        )}
        <ThemeButton />
      </header>
      <nav aria-label="Pages">
        {link('/topology', 'Mesh', ICONS.topology)}
        {link('/letters?state=open', 'Dead letters', ICONS.letters, counts.value?.open)}
        {link('/runs', 'Runs', ICONS.runs)}
        {link('/handlers', 'Handlers', ICONS.handlers)}
        {link('/limits', 'Limits', ICONS.limits)}
        {link('/journey', 'Journey', ICONS.journey)}
        {link('/events', 'Events', ICONS.events)}
        {link('/audit', 'Audit', ICONS.audit)}
      </nav>
      <main id="main" tabIndex={-1}>
        {away.value && (
          <p class="banner" role="alert">
            <strong>NATS is away.</strong> {away.value.detail}. What is shown may be old.
          </p>
        )}
        {children}
      </main>
      <Shortcuts />
    </div>
  )
}

/** Outlines on a grid of 24. */
const ICONS = {
  topology: 'M3 5h5v4H3zM3 15h5v4H3zM16 10h5v4h-5zM8 7h2a3 3 0 0 1 3 3v2h3M8 17h2a3 3 0 0 0 3-3v-2',
  limits: 'M4 17a8 8 0 1 1 16 0M12 17l4-6',
  letters: 'M3 6h18v12H3zM3 7l9 6 9-6',
  handlers: 'M5 5h5v5H5zM14 14h5v5h-5zM10 8h3a2 2 0 0 1 2 2v4',
  journey: 'M5 6h6a4 4 0 0 1 0 8H9a4 4 0 0 0 0 8M19 4v4M3 6h2',
  events: 'M4 6h16M4 12h16M4 18h10',
  audit: 'M9 4h6l4 4v12H5V4h4zM9 12l2 2 4-4',
  runs: 'M4 12a8 8 0 0 1 14-5.3M20 12a8 8 0 0 1-14 5.3M18 3v4h-4M6 21v-4h4',
}

export function Icon({ path }: { path: string }): JSX.Element {
  return (
    <svg
      viewBox="0 0 24 24"
      width="18"
      height="18"
      fill="none"
      stroke="currentColor"
      stroke-width="1.8"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      <path d={path} />
    </svg>
  )
}

function Logo(): JSX.Element {
  return <img src="/favicon.svg" width="26" height="26" alt="" />
}
