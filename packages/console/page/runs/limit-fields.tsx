import type { JSX } from 'preact'

/** A replay has no letters to leave out. */
export type Limits = { perSecond: number; atOnce: number; mostFailures: number; mostRedrives?: number }

const FIELDS: readonly (readonly [name: keyof Limits, label: string, hint: string])[] = [
  ['perSecond', 'Messages a second', 'at most'],
  ['atOnce', 'Under way at once', 'sent and without an outcome'],
  ['mostFailures', 'Stop after', 'that many failed again'],
  ['mostRedrives', 'Leave out', 'letters sent as often as this'],
]

/** How fast, how many, and when to stop. */
export function LimitFields({ limits, onChange }: { limits: Limits; onChange: (limits: Limits) => void }): JSX.Element {
  return (
    <div class="limits">
      {FIELDS.filter(([name]) => name in limits).map(([name, label, hint]) => (
        <label key={name}>
          {label}
          <input
            type="number"
            min={1}
            max={1_000_000}
            required
            value={limits[name]}
            onInput={({ currentTarget: { valueAsNumber } }) => {
              if (Number.isInteger(valueAsNumber) && valueAsNumber > 0) onChange({ ...limits, [name]: valueAsNumber })
            }}
          />
          <span class="hint">{hint}</span>
        </label>
      ))}
    </div>
  )
}
