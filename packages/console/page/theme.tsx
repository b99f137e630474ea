import { signal } from '@preact/signals'
import type { JSX } from 'preact'

const themes = ['auto', 'light', 'dark'] as const
type Theme = (typeof themes)[number]

const theme = signal<Theme>(stored())
show()

function stored(): Theme {
  const found = localStorage.getItem('theme')
  return themes.find((each) => each === found) ?? 'auto'
}

function show(): void {
  document.documentElement.dataset['theme'] = theme.value
}

/** As the system has it, light, dark, and around again. */
export function ThemeButton(): JSX.Element {
  const next = (): void => {
    theme.value = themes[(themes.indexOf(theme.value) + 1) % themes.length]!
    localStorage.setItem('theme', theme.value)
    show()
  }
  const icon = { auto: '◐', light: '☀', dark: '☾' }[theme.value]
  return (
    <button
      type="button"
      class="icon"
      onClick={next}
      aria-label={`Colours: ${theme.value}. Change`}
      title={`Colours: ${theme.value}`}
    >
      <span aria-hidden="true">{icon}</span>
    </button>
  )
}
