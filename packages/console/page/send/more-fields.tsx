import type { JSX } from 'preact'
import type { ContractView, EventBody } from '../../src/api/schemas/contracts.ts'
import { Section } from '../parts/panels.tsx'

/** What is said of an event beside its payload. */
export function MoreFields({ contract }: { contract: ContractView }): JSX.Element {
  return (
    <Section title="How, and why">
      <div class="fields">
        {contract.isKeyAsked && (
          <label>
            Key
            <input name="key" autocomplete="off" spellcheck={false} maxLength={2000} />
            <span class="hint">only code computes it: as that code would</span>
          </label>
        )}
        <label>
          Reason
          <input name="reason" maxLength={500} />
          <span class="hint">written down with your name</span>
        </label>
        <label>
          Event id
          <input name="id" autocomplete="off" spellcheck={false} maxLength={256} />
          <span class="hint">a new one, if empty; the same twice is stored once</span>
        </label>
        <label>
          Seconds from now
          <input name="in" type="number" min={1} step={1} />
          <span class="hint">at once, if empty</span>
        </label>
        {contract.priorities && (
          <label>
            Priority
            <select name="priority">
              <option value="">normal</option>
              <option>high</option>
              <option>low</option>
            </select>
          </label>
        )}
        {contract.key !== null && (
          <label class="check">
            <input type="checkbox" name="once" />
            <span>
              Once
              <span class="hint">only if its stream holds none of this type and key</span>
            </span>
          </label>
        )}
      </div>
    </Section>
  )
}

export function optionsIn(form: HTMLFormElement): Omit<EventBody, 'type' | 'data'> {
  const given = new FormData(form)
  const textOf = (name: string): string | undefined => {
    const value = given.get(name)
    return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined
  }
  const seconds = Number(textOf('in'))
  const [key, id, reason] = [textOf('key'), textOf('id'), textOf('reason')]
  const priority = textOf('priority') as EventBody['priority']
  return {
    ...(key !== undefined && { key }),
    ...(id !== undefined && { id }),
    ...(reason !== undefined && { reason }),
    ...(priority !== undefined && { priority }),
    ...(seconds > 0 && { deliverInMs: Math.round(seconds * 1000) }),
    ...(given.has('once') && { once: true }),
  }
}
