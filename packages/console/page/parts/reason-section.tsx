import type { JSX } from 'preact'
import { Section } from './panels.tsx'

type ReasonSectionProps = {
  value: string
  onChange: (reason: string) => void
  placeholder: string
  /** @default false */
  isNeeded?: boolean
}

/** Why something is done: others will read it. */
export function ReasonSection({ value, onChange, placeholder, isNeeded }: ReasonSectionProps): JSX.Element {
  return (
    <Section title="Why">
      <label class="unseen" for="reason">
        Reason
      </label>
      <input
        id="reason"
        class="long"
        maxLength={500}
        aria-required={isNeeded}
        placeholder={placeholder}
        value={value}
        onInput={({ currentTarget }) => onChange(currentTarget.value)}
      />
    </Section>
  )
}
